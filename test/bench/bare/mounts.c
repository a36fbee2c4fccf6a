/* Mounts by descriptors: made detached, then put in their places below the root. */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include "bare.h"

static int set_option(int context, const char *option)
{
	char key[PATH_BYTES];
	const char *equals = strchr(option, '=');
	if (!equals) return fsconfig(context, FSCONFIG_SET_FLAG, option, NULL, 0);
	snprintf(key, sizeof key, "%.*s", (int)(equals - option), option);
	return fsconfig(context, FSCONFIG_SET_STRING, key, equals + 1, 0);
}

int file_system_make(const struct file_system *file_system)
{
	int context = fsopen(file_system->type, FSOPEN_CLOEXEC);
	int result = context;
	for (size_t i = 0; result >= 0 && i < LENGTH(file_system->options) && file_system->options[i]; i++)
		result = set_option(context, file_system->options[i]);
	if (result >= 0) result = fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (result >= 0) result = fsmount(context, FSMOUNT_CLOEXEC, file_system->attributes);
	if (result < 0) result = complain("make a file system of type", file_system->type);
	close_fd(&context);
	return result;
}

static int open_target(int root, const char *path, bool folder)
{
	int target = openat(root, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (target >= 0 || errno != ENOENT) return target;
	if (folder) return mkdirat(root, path, 0755) < 0 ? -1 : openat(root, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return openat(root, path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
}

int mount_place(int mount, int root, const char *path, bool folder)
{
	int target = open_target(root, path, folder);
	if (target < 0) return complain("open the target", path);
	int result = move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
	if (result < 0) result = complain("mount", path);
	close(target);
	return result;
}

int file_systems_mount(int root, const struct file_system *file_systems, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int mount = file_system_make(&file_systems[i]);
		int result = mount < 0 ? mount : mount_place(mount, root, file_systems[i].path, true);
		close_fd(&mount);
		if (result < 0) return result;
	}
	return 0;
}

int mount_copy(int at, const char *path, bool recursive)
{
	unsigned int flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | (recursive ? AT_RECURSIVE : 0) | (*path ? 0 : AT_EMPTY_PATH);
	int mount = open_tree(at, path, flags);
	return mount < 0 ? complain("copy the mount", path) : mount;
}

int mount_read_only(int mount, bool recursive)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
	int result = mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), &attributes, sizeof attributes);
	return result < 0 ? complain("make read-only", "a mount") : 0;
}

int devices_make(int root)
{
	static const struct {
		const char *path;
		unsigned int major, minor;
	} DEVICES[] = {
		{"dev/null", 1, 3}, {"dev/zero", 1, 5}, {"dev/full", 1, 7}, {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0},
	};
	static const char *const LINKS[][2] = {
		{"pts/ptmx", "dev/ptmx"},           {"/proc/self/fd", "dev/fd"},       {"/proc/self/fd/0", "dev/stdin"},
		{"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"}, {"/proc/kcore", "dev/core"},
	};
	for (size_t i = 0; i < LENGTH(DEVICES); i++)
		if (mknodat(root, DEVICES[i].path, S_IFCHR | 0666, makedev(DEVICES[i].major, DEVICES[i].minor)) < 0)
			return complain("make the device", DEVICES[i].path);
	for (size_t i = 0; i < LENGTH(LINKS); i++)
		if (symlinkat(LINKS[i][0], root, LINKS[i][1]) < 0) return complain("make the link", LINKS[i][1]);
	return 0;
}

int root_place(int mount, const char *place)
{
	return move_mount(mount, "", AT_FDCWD, place, MOVE_MOUNT_F_EMPTY_PATH) < 0 ? complain("mount the root at", place) : 0;
}

int root_enter(int root)
{
	int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Both names ".": the old root lands on top of the new one, from where it is detached. */
	if (old < 0 || fchdir(root) < 0 || syscall(SYS_pivot_root, ".", ".") < 0 || fchdir(old) < 0 ||
	    mount("", ".", NULL, MS_SLAVE | MS_REC, NULL) < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
		return complain("enter", "the root");
	close(old);
	return 0;
}
