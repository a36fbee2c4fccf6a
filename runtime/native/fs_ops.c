/* Every path is split into its folder and its last name. The folder is opened beneath the root without following
 * any symlink and becomes the working folder; the operation then names only the last part, with the no-follow form
 * of its system call. Layers list entries folder by folder, so most operations find the folder entered already. */
#include "fs_ops.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

struct tree {
	int root;
	const char *root_path;
	char entered[4096]; /* the folder that is the working folder now, relative to the root */
	size_t entered_size;
	bool anywhere;	    /* entered tells the truth */
};

static const char *const KINDS[] = {"operate on", "set the attributes of", "make the node", "set an attribute of", "link"};

static const char *kind_name(uint32_t kind) { return KINDS[kind < LENGTH(KINDS) ? kind : 0]; }

/* fchmodat2 came with 6.6. Before, an O_PATH descriptor names the inode itself, and procfs leads to it. */
int chmod_beneath(int folder, const char *name, mode_t mode)
{
	if (syscall(SYS_fchmodat2, folder, name, mode, AT_SYMLINK_NOFOLLOW) == 0 || errno == EOPNOTSUPP) return 0;
	if (errno != ENOSYS) return -errno;

	struct stat status;
	char path[32];
	AUTO_CLOSE int fd = openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0) return -errno;
	if (S_ISLNK(status.st_mode)) return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return chmod(path, mode) < 0 ? -errno : 0;
}

static bool names_a_parent(const char *path)
{
	for (const char *at = path; at; at = strchr(at, '/')) {
		while (*at == '/') at++;
		if (at[0] == '.' && at[1] == '.' && (at[2] == '/' || at[2] == 0)) return true;
	}
	return false;
}

/* Splits in place of a copy: answers the last name, and the folder's length. The root itself is "." in "". */
static const char *split(const char *path, size_t *folder_size)
{
	const char *slash = strrchr(path, '/');
	*folder_size = slash ? (size_t)(slash - path) : 0;
	const char *name = slash ? slash + 1 : path;
	return *name ? name : slash ? NULL : ".";
}

static int check(const struct tree *tree, const char *path, struct failure *failure)
{
	size_t size = strlen(path);
	if (path[0] == '/' || names_a_parent(path) || (size > 0 && path[size - 1] == '/') || size >= sizeof(tree->entered))
		return fail(failure, EINVAL, "the path '%s' below %s is absolute, too long, ends in a slash or has a '..'", path, tree->root_path);
	return 0;
}

static int open_folder(const struct tree *tree, const char *path, size_t size)
{
	char folder[sizeof(tree->entered)];
	memcpy(folder, path, size);
	folder[size] = 0;
	return open_beneath(tree->root, size ? folder : ".", O_PATH | O_DIRECTORY | O_NOFOLLOW, 0);
}

/* Answers the last name of the path, with its folder as the working folder; NULL with failure. */
static const char *enter(struct tree *tree, const char *path, uint32_t kind, struct failure *failure)
{
	size_t size;
	if (check(tree, path, failure) < 0) return NULL;
	const char *name = split(path, &size);
	if (tree->anywhere && size == tree->entered_size && memcmp(path, tree->entered, size) == 0) return name;

	AUTO_CLOSE int folder = open_folder(tree, path, size);
	if (folder < 0 || fchdir(folder) < 0) {
		fail(failure, folder < 0 ? -folder : errno, "cannot %s '%s' below %s: its folder cannot be entered without following a symlink",
		     kind_name(kind), path, tree->root_path);
		return NULL;
	}
	memcpy(tree->entered, path, size);
	tree->entered_size = size;
	tree->anywhere = true;
	return name;
}

/* Times before 1970 are negative; the nanoseconds of a timespec never are. */
static struct timespec timespec_of(int64_t ns)
{
	int64_t seconds = ns / 1000000000, rest = ns % 1000000000;
	if (rest < 0) {
		seconds--;
		rest += 1000000000;
	}
	return (struct timespec){.tv_sec = seconds, .tv_nsec = rest};
}

/* In this order: chown clears the set-id bits and the file's capabilities, so the mode follows it here and
 * security.capability comes as a SETXATTR after it. */
static int set_attributes(const char *name, const struct fs_op *op)
{
	struct timespec times[2] = {timespec_of(op->atime_ns), timespec_of(op->mtime_ns)};
	if (fchownat(AT_FDCWD, name, op->uid, op->gid, AT_SYMLINK_NOFOLLOW) < 0) return -errno;
	int result = chmod_beneath(AT_FDCWD, name, op->mode & 07777);
	if (result < 0) return result;
	return utimensat(AT_FDCWD, name, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

static int make_node(const char *name, const struct fs_op *op)
{
	if (!S_ISCHR(op->mode) && !S_ISBLK(op->mode) && !S_ISFIFO(op->mode)) return -EINVAL;
	/* Without permissions until it has its owner. */
	if (mknodat(AT_FDCWD, name, op->mode & S_IFMT, op->device) < 0) return -errno;
	return set_attributes(name, op);
}

/* Both names are reached beneath the root; a symlink as the last part is linked, not followed. */
static int make_link(const struct tree *tree, const char *name, const char *target, struct failure *failure)
{
	size_t size;
	if (check(tree, target, failure) < 0) return -failure->err;
	const char *target_name = split(target, &size);
	AUTO_CLOSE int folder = open_folder(tree, target, size);
	if (folder < 0) return folder;
	return linkat(folder, target_name, AT_FDCWD, name, 0) < 0 ? -errno : 0;
}

static int apply_one(struct tree *tree, const struct fs_op *op, struct failure *failure)
{
	int result;
	const char *name = enter(tree, op->path, op->kind, failure);
	if (!name) return -failure->err;

	switch (op->kind) {
	case FS_ATTRIBUTES:
		result = set_attributes(name, op);
		break;
	case FS_MKNOD:
		result = make_node(name, op);
		break;
	case FS_SETXATTR:
		result = lsetxattr(name, op->name, op->value.data, op->value.size, 0) < 0 ? -errno : 0;
		break;
	case FS_LINK:
		result = make_link(tree, name, op->name, failure);
		break;
	default:
		return fail(failure, EINVAL, "%u is no file operation", op->kind);
	}
	if (result < 0 && (op->kind == FS_SETXATTR || op->kind == FS_LINK))
		return fail(failure, -result, "cannot %s '%s' below %s (%s)", kind_name(op->kind), op->path, tree->root_path, op->name);
	if (result < 0) return fail(failure, -result, "cannot %s '%s' below %s", kind_name(op->kind), op->path, tree->root_path);
	return 0;
}

int fs_apply(const char *root, const struct list *ops, struct fs_position *at, struct failure *failure)
{
	AUTO_CLOSE int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	*at = (struct fs_position){NO_STEP, 0};
	if (fd < 0) return fail(failure, errno, "cannot open the folder %s", root);

	struct tree tree = {.root = fd, .root_path = root};
	struct reader items = ops->items;
	umask(0);
	for (uint32_t i = 0; i < ops->count; i++) {
		struct fs_op op;
		if (!fs_op_decode(&items, &op)) return fail(failure, EBADMSG, "file operation %u cannot be read", i);
		*at = (struct fs_position){i, op.kind};
		int result = apply_one(&tree, &op, failure);
		if (result < 0) return result;
	}
	return 0;
}
