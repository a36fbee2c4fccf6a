/* Binds: copies of mounts of the host or of another container's namespace, with their own attributes and id maps. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include "plan_internal.h"

static bool same_list(const struct list *a, const struct list *b)
{
	size_t size = (size_t)(a->items.end - a->items.at);
	return a->count == b->count && size == (size_t)(b->items.end - b->items.at) && memcmp(a->items.at, b->items.at, size) == 0;
}

/* A user namespace is only to be had with a process in it: one that waits to be killed. */
static int make_user_namespace(const struct list *uid_map, const struct list *gid_map, struct failure *failure)
{
	char path[48];
	int ready[2];
	if (pipe2(ready, O_CLOEXEC) < 0) return fail(failure, errno, "cannot make a pipe");
	pid_t pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		char answer = unshare(CLONE_NEWUSER) < 0 ? (char)errno : 0;
		(void)!write(ready[1], &answer, 1);
		for (;;) pause();
	}
	char answer = ENOMEM;
	int result = pid < 0 ? -errno : read(ready[0], &answer, 1) == 1 ? -answer : -EIO;
	close(ready[0]);
	close(ready[1]);
	int fd = -1;
	if (result < 0) fail(failure, -result, "cannot make a user namespace for an idmapped mount");
	else if ((result = write_id_maps(pid, uid_map, gid_map, failure)) == 0) {
		snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0) result = fail(failure, errno, "cannot open %s", path);
	}
	if (pid > 0) {
		kill(pid, SIGKILL);
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
	}
	return result < 0 ? result : fd;
}

int idmap_mount(struct plan *plan, int mount, const struct list *uid_map, const struct list *gid_map, bool recursive, struct failure *failure)
{
	if (plan->map_namespace < 0 || !same_list(uid_map, &plan->map_namespace_uids) || !same_list(gid_map, &plan->map_namespace_gids)) {
		close_at(&plan->map_namespace);
		plan->map_namespace = make_user_namespace(uid_map, gid_map, failure);
		if (plan->map_namespace < 0) return plan->map_namespace;
		plan->map_namespace_uids = *uid_map;
		plan->map_namespace_gids = *gid_map;
	}
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)plan->map_namespace};
	int result = change_mount(mount, recursive, &attributes);
	if (result == -EINVAL) return fail(failure, EINVAL, "the file system cannot be idmapped");
	return result < 0 ? fail(failure, -result, "cannot idmap the mount") : 0;
}

/* A container's paths are its own: what its symlinks say holds in its root only. */
static int copy_from_container(struct plan *plan, const struct op_mount_bind *bind, unsigned int flags, struct failure *failure)
{
	int pidfd = plan->world.pidfd_of ? plan->world.pidfd_of(plan->world.context, bind->of) : -1;
	if (pidfd < 0) return fail(failure, ESRCH, "cannot bind from container %s, which is not here", bind->of);
	if (setns(pidfd, CLONE_NEWNS) < 0) return fail(failure, errno, "cannot enter the mount namespace of container %s", bind->of);
	int mount = -1, err = 0;
	{
		AUTO_CLOSE int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
		AUTO_CLOSE int source = root < 0 ? -errno : open_in_root(root, bind->source, O_PATH, 0, 0);
		if (source >= 0) mount = open_tree(source, "", flags | AT_EMPTY_PATH);
		err = source < 0 ? -source : errno;
	}
	if (setns(plan->mount_namespace, CLONE_NEWNS) < 0) {
		/* Nothing that follows may be done in the wrong namespace. */
		close_at(&mount);
		return fail(failure, errno, "cannot return to the host's mount namespace");
	}
	return mount < 0 ? fail(failure, err, "cannot bind %s of container %s", bind->source, bind->of) : mount;
}

static int apply_attributes(int mount, const struct op_mount_bind *bind, struct failure *failure)
{
	const uint64_t times = MS_NOATIME | MS_STRICTATIME | MS_RELATIME;
	struct mount_attr attributes = {
		.attr_set = mount_attributes(bind->set),
		.attr_clr = mount_attributes(bind->clear & ~times),
	};
	if ((bind->set | bind->clear) & times) attributes.attr_clr |= MOUNT_ATTR__ATIME;
	const char *refused = superblock_flag(bind->set);
	if (refused) return fail(failure, EINVAL, "%s belongs to a whole file system and cannot be set for the bind of %s", refused, bind->source);
	int result = attributes.attr_set || attributes.attr_clr ? change_mount(mount, false, &attributes) : 0;
	if (result == 0 && bind->recursive_readonly) {
		struct mount_attr readonly = {.attr_set = MOUNT_ATTR_RDONLY};
		result = change_mount(mount, true, &readonly);
	}
	return result < 0 ? fail(failure, -result, "cannot set the options of the bind of %s", bind->source) : 0;
}

int bind_source(struct plan *plan, const struct op *op, int *fd, struct failure *failure)
{
	DECODE(mount_bind, arguments);
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (arguments.recursive ? AT_RECURSIVE : 0);
	AUTO_CLOSE int mount = *arguments.of ? copy_from_container(plan, &arguments, flags, failure) : open_tree(AT_FDCWD, arguments.source, flags);
	if (mount < 0) return fail(failure, errno, "cannot bind %s", arguments.source);
	bool mapped = arguments.uid_map.count || arguments.gid_map.count;
	int result = mapped ? idmap_mount(plan, mount, &arguments.uid_map, &arguments.gid_map, arguments.recursive, failure) : 0;
	if (result == 0) result = apply_attributes(mount, &arguments, failure);
	if (result == 0 && (arguments.propagation == 0 || plan->user_namespace)) result = keep_from_host(mount, failure, arguments.source);
	if (result == 0) *fd = take_fd(&mount);
	return result;
}

int make_source(struct plan *plan, const struct op *op, bool ask, int *fd, struct failure *failure)
{
	return ask || plan->user_namespace ? ask_creator(plan, fd, failure) : make_source_here(plan, op, fd, failure);
}

int make_source_here(struct plan *plan, const struct op *op, int *fd, struct failure *failure)
{
	switch (op->code) {
	case OP_ROOT_OVERLAY: return overlay_source(plan, op, fd, failure);
	case OP_ROOT_BIND: return root_bind_source(plan, op, fd, failure);
	case OP_MOUNT_BIND: return bind_source(plan, op, fd, failure);
	case OP_MOUNT_IMAGE: return image_source(plan, op, fd, failure);
	case OP_MAKE_DEVICE: return device_source(plan, op, fd, failure);
	default: return fail(failure, EINVAL, "operation %u asks nothing of the host's side", op->code);
	}
}

int op_mount_bind_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(mount_bind, arguments);
	struct stat status;
	AUTO_CLOSE int mount = -1;
	/* Another container's namespace is entered by the creator, which can come back; id maps are written in the host's /proc. */
	bool ask = *arguments.of || arguments.uid_map.count || arguments.gid_map.count;
	int result = make_source(plan, op, ask, &mount, failure);
	if (result < 0) return result;
	if (fstat(mount, &status) < 0) return fail(failure, errno, "cannot read what %s is", arguments.source);
	AUTO_CLOSE int target = open_target(plan, "bind", arguments.target, S_ISDIR(status.st_mode), failure);
	if (target < 0) return target;
	struct stat place;
	if (fstat(target, &place) == 0 && S_ISDIR(place.st_mode) != S_ISDIR(status.st_mode))
		return fail(failure, ENOTDIR, "cannot bind %s at %s: one is a folder, the other is not", arguments.source, arguments.target);
	result = attach_mount(mount, target);
	if (result < 0) return fail(failure, -result, "cannot bind %s at %s", arguments.source, arguments.target);
	return set_propagation(mount, arguments.propagation, failure, arguments.target);
}

int op_mount_image_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(mount_image, arguments);
	AUTO_CLOSE int mount = -1;
	/* The creator makes it: a namespace of its own for the layers is none that this process could come back from. */
	int result = make_source(plan, op, true, &mount, failure);
	if (result < 0) return result;
	AUTO_CLOSE int target = open_target(plan, "mount the image", arguments.target, true, failure);
	if (target < 0) return target;
	result = attach_mount(mount, target);
	return result < 0 ? fail(failure, -result, "cannot mount the image at %s", arguments.target) : 0;
}
