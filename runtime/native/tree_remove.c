#include <errno.h>
#include <linux/stat.h>
#include <string.h>
#include <sys/stat.h>
#include "fs_ops.h"
#include "tree.h"

/* How often in all a folder that is not empty after its entries were removed is gone through again: something
 * still writes there, or the file system's listing skipped an entry because others were removed meanwhile. */
#define REPEATS 64

struct removal {
	int repeats;
	bool immutable; /* the kernel's EPERM came of chattr +i or +a */
};

static bool is_immutable(int folder, const char *name)
{
	struct statx status;
	return statx(folder, name, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH, 0, &status) == 0 &&
	       (status.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND));
}

static int refuse(struct removal *removal, int folder, const char *name, int err)
{
	if (err == EPERM) removal->immutable = is_immutable(folder, name) || is_immutable(folder, "");
	return -err;
}

/* unlinkat, once more with a writable folder when ours lacks permission. 0 or an errno. */
static int unlink_entry(const struct tree_entry *entry)
{
	int flags = entry->is_folder ? AT_REMOVEDIR : 0;
	if (unlinkat(entry->folder, entry->name, flags) == 0) return 0;
	if (errno != EACCES || fchmod(entry->folder, 0700) < 0) return errno;
	return unlinkat(entry->folder, entry->name, flags) == 0 ? 0 : errno;
}

static int remove_entry(void *context, const struct tree_entry *entry)
{
	int err = unlink_entry(entry);
	if (err == 0 || err == ENOENT) return TREE_DONE;
	if (entry->is_folder && (err == ENOTEMPTY || err == EEXIST)) return TREE_DESCEND;
	return refuse(context, entry->folder, entry->name, err);
}

static int remove_folder(void *context, int folder, const char *name)
{
	struct removal *removal = context;
	if (unlinkat(folder, name, AT_REMOVEDIR) == 0 || errno == ENOENT) return TREE_DONE;
	if ((errno == ENOTEMPTY || errno == EEXIST) && removal->repeats++ < REPEATS) return TREE_DESCEND;
	return refuse(removal, folder, name, errno);
}

static int cannot_enter(void *context, int folder, const char *name, int err)
{
	if (err == ENOENT) return TREE_DONE;
	if (err == EXDEV) return -EBUSY;
	if (err == EACCES && chmod_beneath(folder, name, 0700) == 0) return TREE_DESCEND;
	return refuse(context, folder, name, err);
}

int tree_remove(const char *path, struct failure *failure)
{
	char where[TREE_PATH_ROOM];
	struct removal removal = {0};
	struct tree_visitor visitor = {&removal, remove_entry, remove_folder, cannot_enter};
	int result = tree_walk(path, &visitor, where);

	switch (-result) {
	case 0:
	case ENOENT:
		return 0;
	case EBUSY:
		return fail(failure, EBUSY, "cannot remove %s: a file system is mounted there", where);
	case EINVAL:
		return fail(failure, EINVAL, "cannot remove '%s': it is no absolute path of a file or folder", path);
	case ESTALE:
		return fail(failure, ESTALE, "cannot remove %s: it was moved meanwhile", where);
	default:
		if (removal.immutable)
			return fail(failure, -result, "cannot remove %s: it or its folder is immutable or append-only (see lsattr and chattr)", where);
		return fail(failure, -result, "cannot remove %s", where);
	}
}
