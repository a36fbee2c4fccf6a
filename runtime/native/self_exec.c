#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "launcher.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u
#endif

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

/* Kernels from 6.3 on want to be told that a memfd will be executed (vm.memfd_noexec); older ones refuse the flag. */
static int executable_memfd(void)
{
	int fd = (int)syscall(SYS_memfd_create, "gantry-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL)
		fd = (int)syscall(SYS_memfd_create, "gantry-shim", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd;
}

static int copy_whole(int from, int to)
{
	struct stat status;
	if (fstat(from, &status) < 0) return -errno;
	for (off_t left = status.st_size; left > 0;) {
		ssize_t sent = sendfile(to, from, NULL, (size_t)left);
		if (sent < 0 && errno == EINTR) continue;
		if (sent <= 0) return sent < 0 ? -errno : -EIO;
		left -= sent;
	}
	return 0;
}

static int give_up(const char *attempt)
{
	fprintf(stderr, "gantry-shim: cannot %s: %s\n", attempt, strerror(errno));
	return -errno;
}

int self_exec_sealed(char **argv)
{
	AUTO_CLOSE int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (self < 0) return give_up("open its own executable at /proc/self/exe");
	int seals = fcntl(self, F_GET_SEALS);
	if (seals >= 0 && (seals & SEALS) == SEALS) return take_fd(&self);

	AUTO_CLOSE int copy = executable_memfd();
	if (copy < 0) return give_up("make a memfd for its executable");
	if (copy_whole(self, copy) < 0) return give_up("copy its executable to a memfd");
	if (fcntl(copy, F_ADD_SEALS, SEALS) < 0) return give_up("seal its executable");
	syscall(SYS_execveat, copy, "", argv, environ, AT_EMPTY_PATH);
	return give_up("execute its sealed copy");
}
