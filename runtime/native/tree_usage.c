#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "tree.h"

/* Inodes with several names that were seen, and how many names are still to come; one is forgotten with its last
 * name, so only links that are spread over the tree, or out of it, take memory. Beyond this many a link counts for
 * its share of the inode instead: exact in sum when all names lie in the tree. */
#define LINKS_MAX (1u << 18)
#define SLOTS (LINKS_MAX * 2)

struct link {
	dev_t device;
	ino_t inode; /* 0: free */
	nlink_t left;
};

struct count {
	struct tree_usage usage;
	uint64_t inode_shares; /* in 1/2^32 inodes */
	struct link *links;
	size_t link_count;
};

static size_t slot_of(dev_t device, ino_t inode)
{
	uint64_t mixed = (inode ^ (device << 20)) * 0x9e3779b97f4a7c15u;
	return (size_t)(mixed >> 32) & (SLOTS - 1);
}

/* Linear probing: what follows a freed slot moves up, so that no probe ends too early. */
static void forget(struct count *count, size_t slot)
{
	struct link *links = count->links;
	size_t hole = slot;
	for (size_t at = (slot + 1) & (SLOTS - 1); links[at].inode != 0; at = (at + 1) & (SLOTS - 1)) {
		size_t home = slot_of(links[at].device, links[at].inode);
		if (((at - home) & (SLOTS - 1)) < ((at - hole) & (SLOTS - 1))) continue;
		links[hole] = links[at];
		hole = at;
	}
	links[hole].inode = 0;
	count->link_count--;
}

enum seen { FIRST, AGAIN, UNKNOWN };

static enum seen note_link(struct count *count, const struct stat *status)
{
	size_t slot = slot_of(status->st_dev, status->st_ino);
	struct link *links = count->links;
	while (links[slot].inode != 0 && (links[slot].inode != status->st_ino || links[slot].device != status->st_dev))
		slot = (slot + 1) & (SLOTS - 1);
	if (links[slot].inode != 0) {
		if (--links[slot].left == 0) forget(count, slot);
		return AGAIN;
	}
	if (count->link_count >= LINKS_MAX) return UNKNOWN;
	links[slot] = (struct link){status->st_dev, status->st_ino, status->st_nlink - 1};
	count->link_count++;
	return FIRST;
}

static int count_entry(void *context, const struct tree_entry *entry)
{
	struct count *count = context;
	struct stat status;
	if (fstatat(entry->folder, entry->name, &status, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? TREE_DONE : -errno;

	bool folder = S_ISDIR(status.st_mode);
	uint64_t bytes = (uint64_t)status.st_blocks * 512;
	enum seen seen = folder || status.st_nlink < 2 ? FIRST : note_link(count, &status);
	if (seen == FIRST) {
		count->usage.bytes += bytes;
		count->usage.inodes++;
	} else if (seen == UNKNOWN) {
		count->usage.bytes += bytes / status.st_nlink;
		count->inode_shares += (UINT64_C(1) << 32) / status.st_nlink;
	}
	return folder ? TREE_DESCEND : TREE_DONE;
}

static int skip(void *context, int folder, const char *name, int err)
{
	(void)context;
	(void)folder;
	(void)name;
	return err == EXDEV || err == ENOENT || err == ENOTDIR || err == ELOOP || err == EACCES ? TREE_DONE : -err;
}

int tree_usage(const char *path, struct tree_usage *usage, struct failure *failure)
{
	char where[TREE_PATH_ROOM];
	struct stat status;
	struct count count = {.links = pages_new(SLOTS * sizeof(struct link))};
	struct tree_visitor visitor = {&count, count_entry, NULL, skip};

	*usage = (struct tree_usage){0};
	if (!count.links) return fail(failure, ENOMEM, "no memory to count %s", path);
	int result = lstat(path, &status) < 0 ? -errno : tree_walk(path, &visitor, where);
	pages_free(count.links, SLOTS * sizeof(struct link));
	if (result < 0) return fail(failure, -result, "cannot count what lies in %s", path);
	*usage = count.usage;
	usage->inodes += (count.inode_shares + (UINT64_C(1) << 31)) >> 32;
	return 0;
}
