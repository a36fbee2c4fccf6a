/* What every file here needs: cleanup attributes, failures with a sentence, descriptors, small files, time. */
#pragma once
#include "kernel.h"
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

/* Why something failed. err is a positive errno; detail is a sentence without it ("cannot open /x in the root"). */
struct failure {
	int32_t err;
	char detail[500];
};

/* Fills a failure and returns -err, so that callers can `return fail(...)`. A filled failure is kept: the first one tells. */
int fail(struct failure *failure, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));

void close_at(int *fd);	  /* closes *fd if >= 0, keeps errno, sets it to -1 */
void free_at(void *pointer); /* frees what *(void **)pointer points to */

/* `AUTO_CLOSE int fd = open(...)`: closed at the end of the scope. `return take_fd(&fd)` keeps it. */
#define AUTO_CLOSE __attribute__((cleanup(close_at)))
#define AUTO_FREE __attribute__((cleanup(free_at)))
static inline int take_fd(int *fd)
{
	int taken = *fd;
	*fd = -1;
	return taken;
}

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

uint64_t monotonic_ns(void);
void sleep_us(long microseconds);
uint64_t realtime_ns(void);

/* All of these answer 0 or more, or -errno. */
int write_all(int fd, const void *data, size_t size);
/* Reads a whole small file (at most size-1 bytes) and ends it with NUL. Answers the length. */
ssize_t read_file_at(int folder, const char *path, char *buffer, size_t size);
/* One write(2) to an existing file: cgroup and procfs files take a value in one piece. */
int write_file_at(int folder, const char *path, const char *value, size_t size);
int set_nonblocking(int fd);
/* Moves fd to 3 or above when it took the place of a standard stream. */
int above_standard_streams(int fd);
/* Field 22 of /proc/PID/stat (clock ticks since boot); 0 when there is no such process. */
uint64_t start_time_of(pid_t pid);
/* mkdir -p on the host. */
int make_folders(const char *path, mode_t mode);

/* openat2(RESOLVE_IN_ROOT): symlinks, absolute ones and `..` too, stay below root. extra_resolve: RESOLVE_* bits. */
int open_in_root(int root, const char *path, int flags, mode_t mode, uint64_t extra_resolve);
/* openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS): for trees in which no symlink is ever followed. */
int open_beneath(int root, const char *path, int flags, mode_t mode);

int send_fd(int socket, const void *data, size_t size, int fd); /* fd -1: none */
/* Receives one message and at most one descriptor (*fd, else -1). Answers the length, 0 at the end, -errno. */
ssize_t receive_fd(int socket, void *data, size_t size, int *fd);

/* Anonymous zeroed memory, in whole pages that go back to the kernel when freed. NULL when there is none. */
void *pages_new(size_t size);
void *pages_new_shared(size_t size);
void pages_free(void *memory, size_t size);
