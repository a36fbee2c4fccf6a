/* Paths inside the root: the container's image decides what they are, so the kernel resolves them, below the root only. */
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include "plan_internal.h"

/* Missing folders and dangling symlinks on the way to one target; what is deeper is an attack or a mistake. */
#define MAX_DEPTH 128

int root_of(struct plan *plan, struct failure *failure)
{
	if (plan->root < 0) plan->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return plan->root < 0 ? fail(failure, errno, "cannot open the root") : plan->root;
}

bool lies_in(const char *path, const char *folder)
{
	size_t length = strlen(folder);
	while (path[0] == '/' && path[1] == '/') path++;
	return strncmp(path, folder, length) == 0 && (path[length] == 0 || path[length] == '/');
}

/* Splits a path at its last part. "/" and "" have none. */
static int split(const char *path, char parent[PATH_MAX], char name[256])
{
	size_t end = strlen(path);
	while (end > 0 && path[end - 1] == '/') end--;
	size_t start = end;
	while (start > 0 && path[start - 1] != '/') start--;
	if (end == start) return -EINVAL;
	if (end - start > 255 || start >= PATH_MAX) return -ENAMETOOLONG;
	memcpy(name, path + start, end - start);
	name[end - start] = 0;
	memcpy(parent, path, start);
	parent[start] = 0;
	return 0;
}

/* Where a dangling symlink in `parent` points, as a path from the root. */
static int follow_dangling(int folder, const char *parent, const char *name, char target[PATH_MAX])
{
	char content[PATH_MAX];
	ssize_t n = readlinkat(folder, name, content, sizeof content - 1);
	if (n < 0) return errno == EINVAL ? -EEXIST : -errno;
	content[n] = 0;
	int length = snprintf(target, PATH_MAX, "%s%s%s", content[0] == '/' ? "" : parent, content[0] == '/' ? "" : "/", content);
	return length < PATH_MAX ? 0 : -ENAMETOOLONG;
}

static int make_in_root(int root, const char *path, bool folder, mode_t mode, uint64_t resolve, int depth);

static int parent_of(int root, const char *path, char parent[PATH_MAX], char name[256], uint64_t resolve, int depth)
{
	int result = split(path, parent, name);
	return result < 0 ? result : make_in_root(root, *parent ? parent : "/", true, 0755, resolve, depth);
}

/* resolve: RESOLVE_NO_SYMLINKS, or 0. */
static int make_in_root(int root, const char *path, bool folder, mode_t mode, uint64_t resolve, int depth)
{
	char parent[PATH_MAX], name[256], target[PATH_MAX];
	int fd = open_in_root(root, path, O_PATH, 0, resolve);
	if (fd != -ENOENT) return fd;
	if (depth > MAX_DEPTH) return -ELOOP;
	AUTO_CLOSE int above = parent_of(root, path, parent, name, resolve, depth + 1);
	if (above < 0) return above;
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0) return open_in_root(root, path, O_PATH, 0, resolve);
	if (folder && mkdirat(above, name, mode) == 0) return open_in_root(root, path, O_PATH, 0, resolve);
	if (!folder) {
		AUTO_CLOSE int made = openat(above, name, O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_WRONLY, mode);
		if (made >= 0) return openat(above, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	}
	if (errno != EEXIST) return -errno;
	/* It came to be since we looked. */
	if (resolve & RESOLVE_NO_SYMLINKS) return -ELOOP;
	int result = follow_dangling(above, parent, name, target);
	return result < 0 ? result : make_in_root(root, target, folder, mode, resolve, depth + 1);
}

int folder_in_root(int root, const char *path, mode_t mode)
{
	int fd = make_in_root(root, path, true, mode, 0, 0);
	struct stat status;
	if (fd >= 0 && fstat(fd, &status) == 0 && !S_ISDIR(status.st_mode)) {
		close(fd);
		return -ENOTDIR;
	}
	return fd;
}

int parent_in_root(int root, const char *path, char name[256])
{
	char parent[PATH_MAX];
	int fd = parent_of(root, path, parent, name, 0, 0);
	if (fd >= 0 && (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

int target_in_root(int root, const char *path, bool folder, bool no_symlinks)
{
	return make_in_root(root, path, folder, folder ? 0755 : 0644, no_symlinks ? RESOLVE_NO_SYMLINKS : 0, 0);
}

int check_target(int target, const char *path, struct failure *failure)
{
	struct statfs fs;
	if (fstatfs(target, &fs) < 0) return fail(failure, errno, "cannot read the file system at %s", path);
	bool special = fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC;
	if (special && !lies_in(path, "/proc") && !lies_in(path, "/sys"))
		return fail(failure, EPERM, "%s leads to %s by a symlink of the image", path, fs.f_type == PROC_SUPER_MAGIC ? "/proc" : "/sys");
	return 0;
}
