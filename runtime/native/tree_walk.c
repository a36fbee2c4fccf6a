/* One descriptor is open at a time. Down goes by name, up by `..`, whose device and inode must be those noted on
 * the way down: a folder that is moved away meanwhile ends the walk instead of leading it elsewhere. The names of
 * folders that are still to be visited lie on a stack of strings; each level knows where its own begin:
 *
 *        level 0     level 1         level 2
 *      | top      | lib  usr      | share  doc  bin |
 *                        ^ the last name of a level that is not the deepest is where the walk is
 */
#include <dirent.h>
#include <errno.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "tree.h"

#define DIRENT_BYTES (32u * 1024)

struct linux_dirent64 {
	uint64_t d_ino;
	int64_t d_off;
	unsigned short d_reclen;
	unsigned char d_type;
	char d_name[];
};

struct level {
	size_t names; /* where its names begin */
	dev_t device;
	ino_t inode;
};

struct walk {
	const struct tree_visitor *visitor;
	const char *parent; /* of the top; "" for / */
	char *where;
	int folder;
	struct level *levels;
	size_t depth, level_room;
	char *names;
	size_t names_size, names_room;
	char *dirents;
};

/* ---- the stack of names */

static int push_name(struct walk *walk, const char *name)
{
	size_t size = strlen(name) + 1;
	if (walk->names_size + size > walk->names_room) {
		size_t room = walk->names_room ? 2 * walk->names_room : 4096;
		char *grown = realloc(walk->names, room);
		if (!grown) return -ENOMEM;
		walk->names = grown;
		walk->names_room = room;
	}
	memcpy(walk->names + walk->names_size, name, size);
	walk->names_size += size;
	return 0;
}

/* Where the name that ends at `end` begins; `level` is whose it is. */
static size_t name_before(const struct walk *walk, size_t level, size_t end)
{
	size_t at = end - 1;
	while (at > walk->levels[level].names && walk->names[at - 1] != 0) at--;
	return at;
}

static const char *last_name(const struct walk *walk)
{
	return walk->names + name_before(walk, walk->depth, walk->names_size);
}

static void pop_name(struct walk *walk) { walk->names_size = name_before(walk, walk->depth, walk->names_size); }

static int push_level(struct walk *walk, int folder)
{
	struct stat status;
	if (fstat(folder, &status) < 0) return -errno;
	if (walk->depth + 1 >= walk->level_room) {
		size_t room = walk->level_room ? 2 * walk->level_room : 64;
		struct level *grown = reallocarray(walk->levels, room, sizeof(*grown));
		if (!grown) return -ENOMEM;
		walk->levels = grown;
		walk->level_room = room;
	}
	if (walk->folder >= 0) walk->depth++;
	walk->levels[walk->depth] = (struct level){walk->names_size, status.st_dev, status.st_ino};
	close_at(&walk->folder);
	walk->folder = folder;
	return 0;
}

/* The path of `name` in the present folder, for a message; the middle of a long one is left out. */
static int tell(struct walk *walk, const char *name, int result)
{
	size_t size = (size_t)snprintf(walk->where, TREE_PATH_ROOM, "%s", walk->parent);
	for (size_t level = 0; level < walk->depth && size < TREE_PATH_ROOM; level++) {
		size_t at = name_before(walk, level, walk->levels[level + 1].names);
		size += (size_t)snprintf(walk->where + size, TREE_PATH_ROOM - size, "/%s", walk->names + at);
	}
	if (size + strlen(name) + 2 > TREE_PATH_ROOM) {
		size = TREE_PATH_ROOM / 2 - 8 < size ? TREE_PATH_ROOM / 2 - 8 : size;
		size += (size_t)snprintf(walk->where + size, 8, "/...");
	}
	snprintf(walk->where + size, TREE_PATH_ROOM - size, "/%s", name);
	return result;
}

/* ---- folders */

static int visit(struct walk *walk, const char *name, unsigned char type)
{
	struct stat status;
	if (type == DT_UNKNOWN) {
		if (fstatat(walk->folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? 0 : tell(walk, name, -errno);
		type = S_ISDIR(status.st_mode) ? DT_DIR : DT_REG;
	}
	struct tree_entry entry = {walk->folder, name, type == DT_DIR};
	int result = walk->visitor->visit(walk->visitor->context, &entry);
	if (result == TREE_DESCEND) result = push_name(walk, name);
	return result < 0 ? tell(walk, name, result) : 0;
}

static bool is_dots(const char *name) { return name[0] == '.' && (name[1] == 0 || (name[1] == '.' && name[2] == 0)); }

static int scan(struct walk *walk)
{
	for (;;) {
		long size = syscall(SYS_getdents64, walk->folder, walk->dirents, DIRENT_BYTES);
		if (size <= 0) return size < 0 && errno != ENOENT ? tell(walk, ".", -errno) : 0;
		for (long at = 0; at < size;) {
			struct linux_dirent64 *entry = (struct linux_dirent64 *)(walk->dirents + at);
			at += entry->d_reclen;
			int result = is_dots(entry->d_name) ? 0 : visit(walk, entry->d_name, entry->d_type);
			if (result < 0) return result;
		}
	}
}

/* No symlink, no other mount; -errno. */
static int open_folder(int folder, const char *name)
{
	return open_in_root(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS);
}

static int descend(struct walk *walk)
{
	const char *name = last_name(walk);
	int folder = open_folder(walk->folder, name);
	for (int attempt = 0; folder < 0 && attempt < 2; attempt++) {
		int decision = walk->visitor->refused(walk->visitor->context, walk->folder, name, -folder);
		if (decision < 0) return tell(walk, name, decision);
		if (decision == TREE_DONE) {
			pop_name(walk);
			return 0;
		}
		folder = open_folder(walk->folder, name);
	}
	if (folder < 0) return tell(walk, name, folder);
	int result = push_level(walk, folder);
	if (result < 0) {
		close(folder);
		return tell(walk, name, result);
	}
	return scan(walk);
}

static int ascend(struct walk *walk)
{
	struct stat status;
	const struct level *above = &walk->levels[walk->depth - 1];
	int parent = openat(walk->folder, "..", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0) return tell(walk, "..", -errno);
	close_at(&walk->folder);
	walk->folder = parent;
	bool moved = fstat(parent, &status) < 0 || status.st_dev != above->device || status.st_ino != above->inode;
	walk->depth--;
	if (moved) return tell(walk, last_name(walk), -ESTALE);
	if (!walk->visitor->leave) {
		pop_name(walk);
		return 0;
	}
	int result = walk->visitor->leave(walk->visitor->context, walk->folder, last_name(walk));
	if (result < 0) return tell(walk, last_name(walk), result);
	if (result == TREE_DONE) pop_name(walk);
	return 0;
}

static int walk_top(struct walk *walk, const char *name)
{
	int parent = open(*walk->parent ? walk->parent : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0) return -errno;
	int result = push_level(walk, parent);
	if (result < 0) {
		close(parent);
		return result;
	}
	result = visit(walk, name, DT_UNKNOWN);
	while (result == 0 && (walk->names_size > walk->levels[walk->depth].names || walk->depth > 0))
		result = walk->names_size > walk->levels[walk->depth].names ? descend(walk) : ascend(walk);
	return result;
}

int tree_walk(const char *path, const struct tree_visitor *visitor, char where[TREE_PATH_ROOM])
{
	AUTO_FREE char *copy = strdup(path);
	AUTO_FREE char *dirents = malloc(DIRENT_BYTES);
	if (!copy || !dirents) return -ENOMEM;
	size_t size = strlen(copy);
	while (size > 1 && copy[size - 1] == '/') copy[--size] = 0;
	snprintf(where, TREE_PATH_ROOM, "%s", copy);
	char *slash = strrchr(copy, '/');
	if (copy[0] != '/' || slash[1] == 0 || is_dots(slash + 1)) return -EINVAL;
	*slash = 0;

	struct walk walk = {.visitor = visitor, .parent = copy, .where = where, .folder = -1, .dirents = dirents};
	int result = walk_top(&walk, slash + 1);
	close_at(&walk.folder);
	free(walk.levels);
	free(walk.names);
	return result;
}
