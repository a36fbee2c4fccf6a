/* System calls and their structures that glibc has and musl (1.2.3) has not. */
#pragma once
#include <features.h> /* says whose libc it is */
#ifndef __GLIBC__
#include <linux/mount.h>
#include <linux/stat.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static inline int fsopen(const char *type, unsigned flags) { return (int)syscall(SYS_fsopen, type, flags); }
static inline int fsconfig(int fd, unsigned command, const char *key, const void *value, int aux)
{
	return (int)syscall(SYS_fsconfig, fd, command, key, value, aux);
}
static inline int fsmount(int fd, unsigned flags, unsigned attributes) { return (int)syscall(SYS_fsmount, fd, flags, attributes); }
static inline int open_tree(int at, const char *path, unsigned flags) { return (int)syscall(SYS_open_tree, at, path, flags); }
static inline int move_mount(int from, const char *from_path, int to, const char *to_path, unsigned flags)
{
	return (int)syscall(SYS_move_mount, from, from_path, to, to_path, flags);
}
static inline int mount_setattr(int at, const char *path, unsigned flags, struct mount_attr *attributes, size_t size)
{
	return (int)syscall(SYS_mount_setattr, at, path, flags, attributes, size);
}
static inline int statx(int at, const char *path, int flags, unsigned mask, struct statx *about)
{
	return (int)syscall(SYS_statx, at, path, flags, mask, about);
}
static inline int close_range(unsigned first, unsigned last, unsigned flags) { return (int)syscall(SYS_close_range, first, last, flags); }
#endif
