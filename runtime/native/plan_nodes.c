/* Folders, symlinks and devices in the root. */
#include <errno.h>
#include <limits.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "plan_internal.h"

int op_make_folder_in_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(make_folder_in, arguments);
	int root = root_of(plan, failure);
	if (root < 0) return root;
	AUTO_CLOSE int existing = open_in_root(root, arguments.path, O_PATH | O_DIRECTORY, 0, 0);
	if (existing >= 0) return 0;
	AUTO_CLOSE int folder = folder_in_root(root, arguments.path, arguments.mode);
	if (folder < 0) return fail(failure, -folder, "cannot make the folder %s", arguments.path);
	if (fchownat(folder, "", arguments.uid, arguments.gid, AT_EMPTY_PATH) < 0)
		return fail(failure, errno, "cannot set the owner of %s", arguments.path);
	/* mkdir knows no set-id bits, and a change of owner takes them away. */
	AUTO_CLOSE int opened = arguments.mode & 07000 ? openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if ((arguments.mode & 07000) && (opened < 0 || fchmod(opened, arguments.mode & 07777) < 0))
		return fail(failure, errno, "cannot set the mode of %s", arguments.path);
	return 0;
}

int op_make_symlink_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(make_symlink, arguments);
	char name[256], content[PATH_MAX];
	int root = root_of(plan, failure);
	if (root < 0) return root;
	AUTO_CLOSE int parent = parent_in_root(root, arguments.path, name);
	if (parent < 0) return fail(failure, -parent, "cannot reach the folder of %s", arguments.path);
	if (symlinkat(arguments.content, parent, name) == 0) return 0;
	if (errno != EEXIST) return fail(failure, errno, "cannot make the symlink %s", arguments.path);
	ssize_t n = readlinkat(parent, name, content, sizeof content - 1);
	content[n < 0 ? 0 : n] = 0;
	if (strcmp(content, arguments.content) == 0) return 0;
	return fail(failure, EEXIST, "%s exists and is no symlink to %s", arguments.path, arguments.content);
}

static bool is_same_node(int parent, const char *name, const struct op_make_device *wanted)
{
	struct stat status;
	return fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && (status.st_mode & S_IFMT) == (wanted->mode & S_IFMT) &&
		(S_ISFIFO(status.st_mode) || status.st_rdev == wanted->device);
}

int device_source(struct plan *plan, const struct op *op, int *fd, struct failure *failure)
{
	(void)plan;
	DECODE(make_device, arguments);
	struct stat status;
	AUTO_CLOSE int node = open(arguments.path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (node < 0 || fstat(node, &status) < 0) return fail(failure, errno, "cannot open the host's device %s", arguments.path);
	if ((status.st_mode & S_IFMT) != (arguments.mode & S_IFMT) || status.st_rdev != arguments.device)
		return fail(failure, ENODEV, "the host's %s is another device", arguments.path);
	*fd = open_tree(node, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	/* The node is the host's own: its device may be written to, its mode and owner not. */
	struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
	if (*fd >= 0 && change_mount(*fd, false, &readonly) < 0) return fail(failure, errno, "cannot make the copy of %s read-only", arguments.path);
	return *fd < 0 ? fail(failure, errno, "cannot copy the host's device %s", arguments.path) : keep_from_host(*fd, failure, arguments.path);
}

/* In a user namespace nobody may make a node that would be obeyed: the host's own is bound instead. */
static int bind_device(struct plan *plan, const struct op *op, const char *path, struct failure *failure)
{
	AUTO_CLOSE int mount = -1;
	int result = make_source(plan, op, true, &mount, failure);
	if (result < 0) return result;
	AUTO_CLOSE int target = open_target(plan, "bind", path, false, failure);
	if (target < 0) return target;
	result = attach_mount(mount, target);
	return result < 0 ? fail(failure, -result, "cannot bind the device %s", path) : 0;
}

int op_make_device_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(make_device, arguments);
	char name[256];
	int root = root_of(plan, failure);
	if (root < 0) return root;
	AUTO_CLOSE int parent = parent_in_root(root, arguments.path, name);
	if (parent < 0) return fail(failure, -parent, "cannot reach the folder of %s", arguments.path);
	if (mknodat(parent, name, arguments.mode, arguments.device) < 0) {
		if (errno == EEXIST && is_same_node(parent, name, &arguments)) return 0;
		if (errno == EEXIST) return fail(failure, EEXIST, "%s exists and is something else", arguments.path);
		if (errno == EPERM) return bind_device(plan, op, arguments.path, failure);
		return fail(failure, errno, "cannot make the device %s", arguments.path);
	}
	if (fchownat(parent, name, arguments.uid, arguments.gid, AT_SYMLINK_NOFOLLOW) < 0)
		return fail(failure, errno, "cannot set the owner of %s", arguments.path);
	return 0;
}
