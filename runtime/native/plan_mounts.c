/* Mounting by descriptors: file systems, attributes, propagation. */
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include "plan_internal.h"

/* Flags of the file system as a whole, not of one mount of it. */
static const struct {
	uint64_t flag;
	const char *name;
} SUPERBLOCK_FLAGS[] = {
	{MS_SYNCHRONOUS, "sync"}, {MS_DIRSYNC, "dirsync"}, {MS_MANDLOCK, "mand"}, {MS_LAZYTIME, "lazytime"}, {MS_I_VERSION, "iversion"},
};

uint64_t mount_attributes(uint64_t flags)
{
	uint64_t attributes = 0;
	if (flags & MS_RDONLY) attributes |= MOUNT_ATTR_RDONLY;
	if (flags & MS_NOSUID) attributes |= MOUNT_ATTR_NOSUID;
	if (flags & MS_NODEV) attributes |= MOUNT_ATTR_NODEV;
	if (flags & MS_NOEXEC) attributes |= MOUNT_ATTR_NOEXEC;
	if (flags & MS_NODIRATIME) attributes |= MOUNT_ATTR_NODIRATIME;
	if (flags & MS_NOSYMFOLLOW) attributes |= MOUNT_ATTR_NOSYMFOLLOW;
	if (flags & MS_NOATIME) attributes |= MOUNT_ATTR_NOATIME;
	else if (flags & MS_STRICTATIME) attributes |= MOUNT_ATTR_STRICTATIME;
	return attributes;
}

const char *superblock_flag(uint64_t flags)
{
	for (size_t i = 0; i < LENGTH(SUPERBLOCK_FLAGS); i++)
		if (flags & SUPERBLOCK_FLAGS[i].flag) return SUPERBLOCK_FLAGS[i].name;
	return NULL;
}

int change_mount(int mount, bool recursive, struct mount_attr *attributes)
{
	return mount_setattr(mount, "", AT_EMPTY_PATH | (recursive ? AT_RECURSIVE : 0), attributes, sizeof *attributes) < 0 ? -errno : 0;
}

int set_propagation(int mount, uint64_t flags, struct failure *failure, const char *path)
{
	struct mount_attr attributes = {.propagation = flags & (MS_SHARED | MS_SLAVE | MS_PRIVATE | MS_UNBINDABLE)};
	if (attributes.propagation == 0) return 0;
	int result = change_mount(mount, flags & MS_REC, &attributes);
	return result < 0 ? fail(failure, -result, "cannot set the propagation of %s", path) : 0;
}

int keep_from_host(int mount, struct failure *failure, const char *path)
{
	return set_propagation(mount, MS_SLAVE | MS_REC, failure, path);
}

int attach_mount(int mount, int target)
{
	return move_mount(mount, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 ? -errno : 0;
}

const char *kernel_message(int context, char *buffer, size_t size)
{
	if (size < 4) return "";
	/* "e overlay: bad thing": kind, blank, text; one message a read. */
	memcpy(buffer, ": ", 2);
	ssize_t n = read(context, buffer + 2, size - 3);
	if (n <= 2) return "";
	memmove(buffer + 2, buffer + 4, (size_t)n - 2);
	buffer[n] = 0;
	if (buffer[n - 1] == '\n') buffer[n - 1] = 0;
	return buffer;
}

char *next_option(char **rest)
{
	char *option = *rest, *from = option, *to = option;
	bool quoted = false;
	if (!option) return NULL;
	for (; *from && (quoted || *from != ','); from++)
		if (*from == '"') quoted = !quoted;
		else *to++ = *from;
	*rest = *from ? from + 1 : NULL;
	*to = 0;
	return option;
}

static int set_option(int context, char *option)
{
	char *equals = strchr(option, '=');
	if (!equals) return fsconfig(context, FSCONFIG_SET_FLAG, option, NULL, 0);
	*equals = 0;
	int result = fsconfig(context, FSCONFIG_SET_STRING, option, equals + 1, 0);
	*equals = '=';
	return result;
}

static int set_options(int context, const char *data, struct failure *failure, const char *what)
{
	char message[200];
	AUTO_FREE char *copy = strdup(data);
	if (!copy) return fail(failure, ENOMEM, "no memory for the options of %s", what);
	char *rest = copy;
	for (char *option; (option = next_option(&rest));) {
		if (*option == 0 || set_option(context, option) == 0) continue;
		int err = errno;
		return fail(failure, err, "%s does not take the option %.100s%s", what, option, kernel_message(context, message, sizeof message));
	}
	return 0;
}

int make_file_system(const char *type, const char *source, uint64_t flags, const char *data, struct failure *failure)
{
	char message[200];
	AUTO_CLOSE int context = fsopen(type, FSOPEN_CLOEXEC);
	if (context < 0) return fail(failure, errno, "this kernel has no file system %s", type);
	if (*source && fsconfig(context, FSCONFIG_SET_STRING, "source", source, 0) < 0)
		return fail(failure, errno, "%s does not take the source %.200s", type, source);
	int result = set_options(context, data, failure, type);
	if (result < 0) return result;
	for (size_t i = 0; i < LENGTH(SUPERBLOCK_FLAGS); i++)
		if ((flags & SUPERBLOCK_FLAGS[i].flag) && fsconfig(context, FSCONFIG_SET_FLAG, SUPERBLOCK_FLAGS[i].name, NULL, 0) < 0)
			return fail(failure, errno, "%s does not take the option %s", type, SUPERBLOCK_FLAGS[i].name);
	if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		int err = errno;
		return fail(failure, err, "cannot make a file system of type %s%s", type, kernel_message(context, message, sizeof message));
	}
	int mount = fsmount(context, FSMOUNT_CLOEXEC, (unsigned int)mount_attributes(flags));
	if (mount >= 0) return mount;
	int err = errno;
	return fail(failure, err, "cannot mount the new %s%s", type, kernel_message(context, message, sizeof message));
}

/* CVE-2019-19921: proc and sysfs, and anything on them, are mounted where the plan says, never where the image leads. */
static bool forbids_symlinks(const char *type, const char *path)
{
	return strcmp(type, "proc") == 0 || strcmp(type, "sysfs") == 0 || lies_in(path, "/proc") || lies_in(path, "/sys");
}

int open_target(struct plan *plan, const char *type, const char *path, bool folder, struct failure *failure)
{
	int root = root_of(plan, failure);
	if (root < 0) return root;
	int target = target_in_root(root, path, folder, forbids_symlinks(type, path));
	if (target == -ELOOP) return fail(failure, ELOOP, "the target %s is, or lies behind, a symlink of the image, which is refused there", path);
	if (target < 0) return fail(failure, -target, "cannot reach or make the target %s", path);
	int result = check_target(target, path, failure);
	if (result == 0) return target;
	close(target);
	return result;
}

int op_mount_fs_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(mount_fs, arguments);
	AUTO_CLOSE int target = open_target(plan, arguments.fstype, arguments.target, true, failure);
	if (target < 0) return target;
	AUTO_CLOSE int mount = make_file_system(arguments.fstype, arguments.source, arguments.flags, arguments.data, failure);
	if (mount < 0) return mount;
	int result = attach_mount(mount, target);
	if (result < 0) return fail(failure, -result, "cannot mount %s at %s", arguments.fstype, arguments.target);
	return set_propagation(mount, arguments.propagation, failure, arguments.target);
}

int op_propagation_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(propagation, arguments);
	if (mount("none", "/", NULL, arguments.flags, NULL) < 0) return fail(failure, errno, "cannot set the propagation of all mounts");
	return 0;
}
