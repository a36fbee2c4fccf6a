#include "util.h"
#include <errno.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

int fail(struct failure *failure, int err, const char *format, ...)
{
	if (failure->err) return -failure->err;
	failure->err = err ? err : EIO;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(failure->detail, sizeof failure->detail, format, arguments);
	va_end(arguments);
	return -failure->err;
}

void close_at(int *fd)
{
	if (*fd < 0) return;
	int saved = errno;
	close(*fd);
	errno = saved;
	*fd = -1;
}

void free_at(void *pointer)
{
	free(*(void **)pointer);
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;
	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

uint64_t monotonic_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
uint64_t realtime_ns(void) { return clock_ns(CLOCK_REALTIME); }

int write_all(int fd, const void *data, size_t size)
{
	const uint8_t *at = data;
	while (size > 0) {
		ssize_t n = write(fd, at, size);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return -errno;
		at += n;
		size -= (size_t)n;
	}
	return 0;
}

void sleep_us(long microseconds)
{
	struct timespec time = {0, microseconds * 1000};
	nanosleep(&time, NULL);
}

ssize_t read_file_at(int folder, const char *path, char *buffer, size_t size)
{
	AUTO_CLOSE int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return -errno;
	size_t length = 0;
	while (length < size - 1) {
		ssize_t n = read(fd, buffer + length, size - 1 - length);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return -errno;
		if (n == 0) break;
		length += (size_t)n;
	}
	buffer[length] = 0;
	return (ssize_t)length;
}

int write_file_at(int folder, const char *path, const char *value, size_t size)
{
	AUTO_CLOSE int fd = openat(folder, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0) return -errno;
	ssize_t n;
	do n = write(fd, value, size);
	while (n < 0 && errno == EINTR);
	if (n < 0) return -errno;
	return (size_t)n == size ? 0 : -EIO;
}

int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);
	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno : 0;
}

int above_standard_streams(int fd)
{
	if (fd < 0 || fd > 2) return fd;
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	close(fd);
	return moved;
}

uint64_t start_time_of(pid_t pid)
{
	char path[32], text[1024];
	snprintf(path, sizeof path, "/proc/%d/stat", pid);
	if (read_file_at(AT_FDCWD, path, text, sizeof text) < 0) return 0;
	/* The command name may hold spaces and parentheses: fields are counted from the last ')'. */
	const char *at = strrchr(text, ')');
	for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
	return at ? strtoull(at + 1, NULL, 10) : 0;
}

int make_folders(const char *path, mode_t mode)
{
	if (mkdir(path, mode) == 0 || errno == EEXIST) return 0;
	if (errno != ENOENT) return -errno;
	AUTO_FREE char *parent = strdup(path);
	if (!parent) return -ENOMEM;
	char *slash = strrchr(parent, '/');
	while (slash > parent && slash[1] == 0) {
		*slash = 0;
		slash = strrchr(parent, '/');
	}
	if (!slash || slash == parent) return -ENOENT;
	*slash = 0;
	int result = make_folders(parent, mode);
	if (result < 0) return result;
	return mkdir(path, mode) == 0 || errno == EEXIST ? 0 : -errno;
}

static int open_resolved(int root, const char *path, int flags, mode_t mode, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(flags | O_CLOEXEC),
		.mode = flags & (O_CREAT | O_TMPFILE) ? mode : 0,
		.resolve = resolve,
	};
	/* EAGAIN: a rename or mount somewhere on the machine raced with the walk, which proves nothing about us. */
	for (int attempt = 0;; attempt++) {
		int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
		if (fd >= 0) return fd;
		if ((errno != EAGAIN && errno != EINTR) || attempt >= 128) return -errno;
	}
}

int open_in_root(int root, const char *path, int flags, mode_t mode, uint64_t extra_resolve)
{
	return open_resolved(root, path, flags, mode, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | extra_resolve);
}

int open_beneath(int root, const char *path, int flags, mode_t mode)
{
	return open_resolved(root, path, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
}

int send_fd(int socket, const void *data, size_t size, int fd)
{
	struct iovec part = {(void *)(uintptr_t)data, size};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	if (fd >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof control;
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &fd, sizeof fd);
	}
	ssize_t n;
	do n = sendmsg(socket, &message, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : 0;
}

ssize_t receive_fd(int socket, void *data, size_t size, int *fd)
{
	struct iovec part = {data, size};
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
	*fd = -1;
	ssize_t n;
	do n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0) return -errno;
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(header), sizeof *fd);
	return n;
}

static void *pages(size_t size, int flags)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

void *pages_new(size_t size) { return pages(size, MAP_PRIVATE); }
void *pages_new_shared(size_t size) { return pages(size, MAP_SHARED); }

void pages_free(void *memory, size_t size)
{
	if (memory) munmap(memory, size);
}
