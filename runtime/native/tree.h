/* Walks over a tree by descriptors: no symlink is followed, no mount is crossed, and depth costs neither stack
 * nor descriptors. */
#pragma once
#include "util.h"

/* Removes a tree, or a single file. A missing path is fine. EBUSY names the mount in the way. */
int tree_remove(const char *path, struct failure *failure);

struct tree_usage {
	uint64_t bytes;	 /* blocks, not lengths */
	uint64_t inodes; /* hard links once */
};
/* What lies below a mount is not counted. What vanishes meanwhile is not missed. */
int tree_usage(const char *path, struct tree_usage *usage, struct failure *failure);

/* ---- the walk behind both */

struct tree_entry {
	int folder; /* the folder that it lies in */
	const char *name;
	bool is_folder;
};

enum tree_step { TREE_DONE = 0, TREE_DESCEND = 1 };

struct tree_visitor {
	void *context;
	/* Every entry of a folder, the top included. TREE_DESCEND for a folder whose entries are to be visited, or -errno. */
	int (*visit)(void *context, const struct tree_entry *entry);
	/* A folder whose entries were visited; TREE_DESCEND to visit them once more. NULL: nothing to do. */
	int (*leave)(void *context, int folder, const char *name);
	/* A folder that cannot be entered: EXDEV is a mount, EACCES a lack of permission. TREE_DONE to skip it,
	 * TREE_DESCEND to try again, or -errno. */
	int (*refused)(void *context, int folder, const char *name, int err);
};

/* 0, or -errno of a visitor's answer or of the walk itself; `where` then tells the path that it was about. */
#define TREE_PATH_ROOM 320
int tree_walk(const char *path, const struct tree_visitor *visitor, char where[TREE_PATH_ROOM]);
