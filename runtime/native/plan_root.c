/* The root: made as a detached mount, put over `target` in the container's mount namespace only, pivoted into. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include "plan_internal.h"

/* The root_idmap step before this one; false: there is none. Found in the plan because creator and init both need it. */
static bool root_maps(const struct plan *plan, struct op_root_idmap *maps)
{
	struct reader ops = plan->ops.items;
	struct op op;
	for (uint32_t index = 0; index < plan->step && plan_next(&ops, &op); index++) {
		struct reader arguments = {op.args.data, op.args.data + op.args.size, false};
		if (op.code == OP_ROOT_IDMAP) return op_root_idmap_decode(&arguments, maps);
	}
	return false;
}

int op_root_idmap_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(root_idmap, arguments);
	/* The kernel changes id maps of detached mounts only. */
	if (plan->root >= 0) return fail(failure, EINVAL, "the root is mounted already; it is idmapped while it is made");
	return 0;
}

static int set_layer(int context, const char *key, const char *path, struct failure *failure)
{
	char message[200];
	if (fsconfig(context, FSCONFIG_SET_STRING, key, path, 0) == 0) return 0;
	int err = errno;
	return fail(failure, err, "overlay does not take %s %s%s", key, path, kernel_message(context, message, sizeof message));
}

static int set_lowers(int context, const struct op_root_overlay *overlay, struct failure *failure)
{
	struct reader items = overlay->lowers.items;
	int result = 0;
	for (uint32_t i = 0; result == 0 && i < overlay->lowers.count; i++) {
		const char *lower;
		if (!get_str(&items, &lower)) return fail(failure, EPROTO, "lower %u cannot be read", i);
		result = set_layer(context, "lowerdir+", lower, failure);
	}
	return result;
}

static int set_uppers(int context, const struct op_root_overlay *overlay, struct failure *failure)
{
	if (*overlay->upper == 0) return 0;
	int result = set_layer(context, "upperdir", overlay->upper, failure);
	return result < 0 ? result : set_layer(context, "workdir", overlay->work, failure);
}

static int set_overlay_options(int context, const char *options, struct failure *failure)
{
	AUTO_FREE char *copy = strdup(options);
	char *rest = copy;
	if (!copy) return fail(failure, ENOMEM, "no memory for the options of the overlay");
	for (char *option; (option = next_option(&rest));) {
		if (*option == 0) continue;
		char *value = strchr(option, '=');
		if (value) *value++ = 0;
		if (fsconfig(context, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, option, value, 0) < 0)
			return fail(failure, errno, "overlay does not take the option %s", option);
	}
	return 0;
}

/* Linux 6.8 on: every lower is an option of its own. Before 6.5 any name at all is taken here, and refused only when the
 * overlay is made. */
static bool takes_single_lowers(void)
{
	AUTO_CLOSE int context = fsopen("overlay", FSOPEN_CLOEXEC);
	if (context < 0) return true;
	bool takes_anything = fsconfig(context, FSCONFIG_SET_STRING, "no-such-option", "/", 0) == 0;
	return !takes_anything && fsconfig(context, FSCONFIG_SET_STRING, "lowerdir+", "/", 0) == 0;
}

static int mount_overlay(struct plan *plan, const struct op_root_overlay *arguments, const char *sub_path, int *fd, struct failure *failure)
{
	struct op_root_idmap maps;
	char message[200];
	bool mapped = root_maps(plan, &maps);
	/* Before Linux 6.15 a folder can be taken only of what is mounted somewhere. */
	if (mapped || *sub_path || !takes_single_lowers()) return placed_overlay(plan, arguments, mapped ? &maps : NULL, sub_path, fd, failure);
	AUTO_CLOSE int context = fsopen("overlay", FSOPEN_CLOEXEC);
	if (context < 0) return fail(failure, errno, "this kernel has no overlay");
	int result = fsconfig(context, FSCONFIG_SET_STRING, "source", "overlay", 0) < 0 ? fail(failure, errno, "overlay takes no source") : 0;
	if (result == 0) result = set_lowers(context, arguments, failure);
	if (result == 0) result = set_uppers(context, arguments, failure);
	if (result == 0) result = set_overlay_options(context, arguments->options, failure);
	if (result < 0) return result;
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		int err = errno;
		return fail(failure, err, "cannot make the overlay%s%s%s", *arguments->upper ? " that writes to " : "", arguments->upper,
			    kernel_message(context, message, sizeof message));
	}
	*fd = fsmount(context, FSMOUNT_CLOEXEC, 0);
	return *fd < 0 ? fail(failure, errno, "cannot mount the overlay") : 0;
}

int overlay_source(struct plan *plan, const struct op *op, int *fd, struct failure *failure)
{
	DECODE(root_overlay, arguments);
	struct statfs made;
	int result = mount_overlay(plan, &arguments, "", fd, failure);
	if (result < 0 || *arguments.upper == 0) return result;
	/* Without room for its work folder the kernel makes the overlay all the same, but read-only. */
	if (fstatfs(*fd, &made) == 0 && (made.f_flags & ST_RDONLY) == 0) return 0;
	close_at(fd);
	return fail(failure, ENOSPC, "overlay has no room for its work folder in %s", arguments.work);
}

int image_source(struct plan *plan, const struct op *op, int *fd, struct failure *failure)
{
	DECODE(mount_image, arguments);
	const struct op_root_overlay overlay = {.target = arguments.place, .lowers = arguments.lowers, .upper = "", .work = "", .options = ""};
	AUTO_CLOSE int mount = -1;
	int result = mount_overlay(plan, &overlay, arguments.sub_path, &mount, failure);
	if (result < 0) return result;
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY | mount_attributes(arguments.set)};
	if ((result = change_mount(mount, false, &attributes)) < 0) return fail(failure, -result, "cannot set the options of the image at %s", arguments.target);
	*fd = take_fd(&mount);
	return 0;
}

int root_bind_source(struct plan *plan, const struct op *op, int *fd, struct failure *failure)
{
	DECODE(root_bind, arguments);
	struct op_root_idmap maps;
	AUTO_CLOSE int mount = open_tree(AT_FDCWD, arguments.source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_RECURSIVE);
	if (mount < 0) return fail(failure, errno, "cannot bind the root %s", arguments.source);
	int result = root_maps(plan, &maps) ? idmap_mount(plan, mount, &maps.uid_map, &maps.gid_map, true, failure) : 0;
	if (result == 0 && plan->user_namespace) result = keep_from_host(mount, failure, arguments.source);
	if (result < 0) return result;
	struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
	if (arguments.readonly && (result = change_mount(mount, false, &readonly)) < 0)
		return fail(failure, -result, "cannot make the root read-only");
	*fd = take_fd(&mount);
	return 0;
}

/* A mount below a shared one would appear in the host's namespace as well, and pivot_root(2) refuses a root whose
 * parent is shared: the mount that holds the root's place is made private first. */
static int isolate_place(int target, struct failure *failure)
{
	AUTO_CLOSE int at = openat(target, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	while (at >= 0) {
		struct statx about;
		if (statx(at, "", AT_EMPTY_PATH, 0, &about) < 0) break;
		if (about.stx_attributes & STATX_ATTR_MOUNT_ROOT) {
			struct mount_attr private = {.propagation = MS_PRIVATE};
			int result = change_mount(at, false, &private);
			return result < 0 ? fail(failure, -result, "cannot make the mount that holds the root's place private") : 0;
		}
		int above = openat(at, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
		close_at(&at);
		at = above;
	}
	return fail(failure, errno, "cannot find the mount that holds the root's place");
}

static int place_root(struct plan *plan, int mount, const char *path, struct failure *failure)
{
	AUTO_CLOSE int target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* In a user namespace the way to it may be closed to us. Any place does: it is seen until the pivot only. */
	if (target < 0 && errno == EACCES && plan->user_namespace) target = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (target < 0) return fail(failure, errno, "cannot open the root's place %s", path);
	int result = isolate_place(target, failure);
	if (result < 0) return result;
	if ((result = attach_mount(mount, target)) < 0) return fail(failure, -result, "cannot mount the root at %s", path);
	close_at(&plan->root);
	plan->root = mount;
	return 0;
}

int op_root_overlay_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(root_overlay, arguments);
	struct op_root_idmap maps;
	AUTO_CLOSE int mount = -1;
	int result = make_source(plan, op, root_maps(plan, &maps) || !takes_single_lowers(), &mount, failure);
	if (result == 0) result = place_root(plan, mount, arguments.target, failure);
	if (result == 0) take_fd(&mount);
	return result;
}

int op_root_bind_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(root_bind, arguments);
	struct op_root_idmap maps;
	AUTO_CLOSE int mount = -1;
	int result = make_source(plan, op, root_maps(plan, &maps), &mount, failure);
	if (result == 0) result = place_root(plan, mount, arguments.target, failure);
	if (result == 0) take_fd(&mount);
	return result;
}

static int pivot(struct failure *failure)
{
	AUTO_CLOSE int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (old < 0) return fail(failure, errno, "cannot open the old root");
	/* Both arguments ".": the old root lands on top of the new one, and no folder is needed to hold it. */
	if (syscall(SYS_pivot_root, ".", ".") < 0) return fail(failure, errno, "cannot pivot into the root");
	if (fchdir(old) < 0) return fail(failure, errno, "cannot enter the old root");
	/* Or its unmounting would travel to the host. */
	if (mount("", ".", NULL, MS_SLAVE | MS_REC, NULL) < 0) return fail(failure, errno, "cannot make the old root a slave");
	if (umount2(".", MNT_DETACH) < 0) return fail(failure, errno, "cannot detach the old root");
	return 0;
}

int op_pivot_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(pivot, arguments);
	if (plan->root < 0) return fail(failure, EINVAL, "there is no root to pivot into");
	int result = keep_null(plan, failure);
	if (result < 0) return result;
	if (fchdir(plan->root) < 0) return fail(failure, errno, "cannot enter the root");
	if (arguments.no_pivot) {
		if (mount(".", "/", NULL, MS_MOVE, NULL) < 0) return fail(failure, errno, "cannot move the root to /");
		if (chroot(".") < 0) return fail(failure, errno, "cannot chroot into the root");
	} else if ((result = pivot(failure)) < 0) {
		return result;
	}
	return chdir("/") < 0 ? fail(failure, errno, "cannot enter the new root") : 0;
}

int op_root_readonly_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)op;
	int root = root_of(plan, failure);
	struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
	int result = root < 0 ? root : change_mount(root, false, &readonly);
	return result < 0 ? fail(failure, -result, "cannot make the root read-only") : 0;
}

int op_root_propagation_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(root_propagation, arguments);
	int root = root_of(plan, failure);
	return root < 0 ? root : set_propagation(root, arguments.flags, failure, "the root");
}
