/* Operations in the host's namespaces: before spawn, and of teardown plans. */
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "plan_internal.h"
#include "tree.h"

static int op_write_file_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(write_file, arguments);
	int result = write_file_at(AT_FDCWD, arguments.path, arguments.value, strlen(arguments.value));
	if (result >= 0 || (arguments.flags & WRITE_IGNORE_ERRORS)) return 0;
	if (result == -ENOENT && (arguments.flags & WRITE_IGNORE_MISSING)) return 0;
	return fail(failure, -result, "cannot write \"%.100s\" to %s", arguments.value, arguments.path);
}

static int op_make_folder_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(make_folder, arguments);
	if (mkdir(arguments.path, arguments.mode) < 0) {
		struct stat status;
		if (errno == EEXIST && stat(arguments.path, &status) == 0 && S_ISDIR(status.st_mode)) return 0;
		return fail(failure, errno, "cannot make the folder %s", arguments.path);
	}
	/* The umask may have taken bits away. */
	if (lchown(arguments.path, arguments.uid, arguments.gid) < 0 || chmod(arguments.path, arguments.mode) < 0) {
		int err = errno;
		rmdir(arguments.path);
		return fail(failure, err, "cannot set owner and mode of the folder %s", arguments.path);
	}
	return 0;
}

static int op_unmount_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(unmount, arguments);
	/* A crash between two attempts may have stacked mounts: take all of them. */
	for (int layer = 0; layer < 64 && umount2(arguments.path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0; layer++) {}
	if (errno != EINVAL && errno != ENOENT) return fail(failure, errno, "cannot unmount %s", arguments.path);
	if (!arguments.remove || unlink(arguments.path) == 0 || errno == ENOENT) return 0;
	if (errno == EISDIR && (rmdir(arguments.path) == 0 || errno == ENOENT)) return 0;
	return fail(failure, errno, "cannot remove %s", arguments.path);
}

static int op_remove_tree_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(remove_tree, arguments);
	return tree_remove(arguments.path, failure);
}

/* In a teardown plan, or before spawn, there is no process yet or any more: its pid is 0. */
static int op_hooks_host_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(hooks, arguments);
	bool collect = arguments.phase == HOOK_POSTSTART || arguments.phase == HOOK_POSTSTOP;
	return run_hooks(plan, op, 0, collect, failure);
}

int run_host_op(struct plan *plan, const struct op *op, struct failure *failure)
{
	switch (op->code) {
	case OP_CGROUP_MAKE: return op_cgroup_make_run(plan, op, failure);
	case OP_WRITE_FILE: return op_write_file_run(plan, op, failure);
	case OP_CGROUP_DEVICES: return op_cgroup_devices_run(plan, op, failure);
	case OP_CGROUP_KILL: return op_cgroup_kill_run(plan, op, failure);
	case OP_CGROUP_REMOVE: return op_cgroup_remove_run(plan, op, failure);
	case OP_MAKE_FOLDER: return op_make_folder_run(plan, op, failure);
	case OP_UNMOUNT: return op_unmount_run(plan, op, failure);
	case OP_REMOVE_TREE: return op_remove_tree_run(plan, op, failure);
	case OP_HOOKS: return op_hooks_host_run(plan, op, failure);
	default: return fail(failure, EINVAL, "operation %u cannot be carried out on the host's side", op->code);
	}
}
