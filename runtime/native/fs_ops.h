/* File operations below a root: owners, modes, times, xattrs, devices, hard links of an extracted layer. */
#pragma once
#include "protocol.h"
#include "util.h"

/* Which operation failed; its index and kind. */
struct fs_position {
	uint32_t step, kind;
};

/* Carries out fs_op structs in order. Changes the process's umask and working folder: run it in a process of its
 * own. 0, or -errno with failure and *at. */
int fs_apply(const char *root, const struct list *ops, struct fs_position *at, struct failure *failure);

/* chmod of a name in `folder` that never follows a symlink; one on a symlink does nothing. 0 or -errno. */
int chmod_beneath(int folder, const char *name, mode_t mode);
