/* Hidden and read-only paths. What is mounted over a path is put on the very descriptor that was looked up. */
#include <errno.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include "plan_internal.h"

int copy_null(struct failure *failure)
{
	struct stat status;
	AUTO_CLOSE int null = open("/dev/null", O_PATH | O_CLOEXEC);
	if (null < 0 || fstat(null, &status) < 0) return fail(failure, errno, "cannot open the host's /dev/null");
	if (!S_ISCHR(status.st_mode) || status.st_rdev != makedev(1, 3)) return fail(failure, ENODEV, "the host's /dev/null is not the null device");
	AUTO_CLOSE int copy = open_tree(null, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
	int result = copy < 0 ? -errno : change_mount(copy, false, &readonly);
	return result < 0 ? fail(failure, -result, "cannot copy the host's /dev/null") : take_fd(&copy);
}

int keep_null(struct plan *plan, struct failure *failure)
{
	if (plan->null_mount < 0) plan->null_mount = copy_null(failure);
	return plan->null_mount < 0 ? plan->null_mount : 0;
}

static int keep_empty(struct plan *plan, struct failure *failure)
{
	if (plan->empty_mount < 0) plan->empty_mount = make_file_system("tmpfs", "tmpfs", MS_RDONLY, "mode=755", failure);
	return plan->empty_mount;
}

/* The first use places the mount itself, later ones a copy: older kernels copy placed mounts only. */
static int place_copy(int mount, bool *placed, int target)
{
	AUTO_CLOSE int copy = *placed ? open_tree(mount, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH) : -1;
	if (*placed && copy < 0) return -errno;
	int result = attach_mount(*placed ? copy : mount, target);
	if (result == 0) *placed = true;
	return result;
}

int op_mask_path_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(mask_path, arguments);
	struct stat status;
	int root = root_of(plan, failure);
	if (root < 0) return root;
	AUTO_CLOSE int target = open_in_root(root, arguments.path, O_PATH, 0, 0);
	if (target == -ENOENT || target == -ENOTDIR) return 0;
	if (target < 0 || fstat(target, &status) < 0) return fail(failure, target < 0 ? -target : errno, "cannot open %s", arguments.path);
	bool folder = S_ISDIR(status.st_mode);
	int result = folder ? keep_empty(plan, failure) : keep_null(plan, failure);
	if (result < 0) return result;
	result = folder ? place_copy(plan->empty_mount, &plan->empty_placed, target) : place_copy(plan->null_mount, &plan->null_placed, target);
	return result < 0 ? fail(failure, -result, "cannot hide %s", arguments.path) : 0;
}

int op_readonly_path_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(readonly_path, arguments);
	int root = root_of(plan, failure);
	if (root < 0) return root;
	AUTO_CLOSE int target = open_in_root(root, arguments.path, O_PATH, 0, 0);
	if (target == -ENOENT || target == -ENOTDIR) return 0;
	if (target < 0) return fail(failure, -target, "cannot open %s", arguments.path);
	AUTO_CLOSE int copy = open_tree(target, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
	if (copy < 0) return fail(failure, errno, "cannot copy the mount at %s", arguments.path);
	struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
	int result = change_mount(copy, true, &readonly);
	if (result == 0) result = attach_mount(copy, target);
	return result < 0 ? fail(failure, -result, "cannot make %s read-only", arguments.path) : 0;
}
