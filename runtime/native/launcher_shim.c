/* START_SHIM: a socket that listens, and a process of its own behind it. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include "launcher.h"
#include "shim.h"

/* Of connections that wait to be accepted: each stream is one, and they come by the hundred. The kernel caps it (somaxconn);
 * the constant of the C library is 128 in musl. */
#define BACKLOG 4096

/* A socket file without a listener is left over from a shim that was killed; one with a listener is a living shim's. */
static int remove_stale(const struct sockaddr_un *address, struct failure *failure)
{
	struct stat status;
	if (lstat(address->sun_path, &status) < 0) return 0;
	if (!S_ISSOCK(status.st_mode))
		return fail(failure, EEXIST, "cannot listen at %s: it exists and is not a socket", address->sun_path);

	AUTO_CLOSE int probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0) return fail(failure, errno, "cannot make a socket");
	if (connect(probe, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN)
		return fail(failure, EADDRINUSE, "cannot listen at %s: a living shim listens there", address->sun_path);
	if (unlink(address->sun_path) < 0 && errno != ENOENT)
		return fail(failure, errno, "cannot remove the stale socket %s", address->sun_path);
	return 0;
}

static int listen_at(const char *path, struct failure *failure)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(address.sun_path))
		return fail(failure, ENAMETOOLONG, "the socket path %s has %zu bytes; the kernel takes %zu: use a shorter state folder", path,
			    strlen(path), sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (remove_stale(&address, failure) < 0) return -1;

	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0) return fail(failure, errno, "cannot make a socket");
	mode_t before = umask(0177);
	int bound = bind(fd, (const struct sockaddr *)&address, sizeof(address));
	umask(before);
	if (bound < 0 || listen(fd, BACKLOG) < 0) return fail(failure, errno, "cannot listen at %s", path);
	return take_fd(&fd);
}

/* Lowering is refused without CAP_SYS_RESOURCE: then the shim keeps what the launcher has. */
static void set_oom_score(int32_t score)
{
	char text[16];
	int size = snprintf(text, sizeof(text), "%d", score < -1000 ? -1000 : score > 1000 ? 1000 : score);
	write_file_at(AT_FDCWD, "/proc/self/oom_score_adj", text, (size_t)size);
}

/* PATH for hooks that rely on it, and what a sanitizer build is told; nothing else of the daemon's environment,
 * which may hold secrets and would be readable for as long as the pod lives. */
static char **shim_environment(void)
{
	static const char *const KEPT[] = {"PATH=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=", "LSAN_OPTIONS="};
	static char *environment[LENGTH(KEPT) + 1];
	size_t count = 0;
	for (char **entry = environ; entry && *entry; entry++)
		for (size_t i = 0; i < LENGTH(KEPT) && count < LENGTH(KEPT); i++)
			if (strncmp(*entry, KEPT[i], strlen(KEPT[i])) == 0) environment[count++] = *entry;
	environment[count] = NULL;
	return environment;
}

/* Leaves descriptors 0 to 2 on /dev/null, the listening socket as 3, and 4 and 5 closed at exec. */
static int arrange_descriptors(int listener, int executable, int told[2])
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (null < 0) return -errno;
	for (int stream = 0; stream < 3; stream++)
		if (dup2(null, stream) < 0) return -errno;
	/* Copies above every number that is about to be given away, so that none overwrites another. */
	int high[3] = {fcntl(listener, F_DUPFD_CLOEXEC, 16), fcntl(executable, F_DUPFD_CLOEXEC, 16), fcntl(told[1], F_DUPFD_CLOEXEC, 16)};
	/* EINVAL: the limit of open files lies below. */
	if (high[0] < 0 || high[1] < 0 || high[2] < 0) return errno == EINVAL ? -EMFILE : -errno;
	if (dup2(high[0], SHIM_LISTEN_FD) < 0 || dup3(high[1], 4, O_CLOEXEC) < 0 || dup3(high[2], 5, O_CLOEXEC) < 0) return -errno;
	told[1] = 5;
	return (int)syscall(SYS_close_range, 6, ~0u, 0) < 0 ? -errno : 0;
}

static _Noreturn void become_shim(const struct launcher *launcher, pid_t launcher_pid, const struct msg_start_shim *request,
				  int listener, int told[2])
{
	char *argv[] = {"gantry-shim", "shim", "--sandbox", (char *)(uintptr_t)request->sandbox_id,
			"--instance", (char *)(uintptr_t)request->instance, request->network ? "--network" : NULL, NULL};
	reset_signals();
	/* A launcher that dies before the exec cannot tell of the shim, and nobody could find it by its command line yet. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != launcher_pid) _exit(127);
	setsid();
	set_oom_score(request->oom_score_adj);
	int err = -arrange_descriptors(listener, launcher->executable, told);
	if (err == 0) {
		syscall(SYS_execveat, 4, "", argv, shim_environment(), AT_EMPTY_PATH);
		err = errno;
	}
	(void)!write(told[1], &err, sizeof(err));
	_exit(127);
}

/* The other end of `told` closes at the shim's exec, or brings an errno. */
static int wait_for_exec(int told)
{
	int err = 0;
	ssize_t size;
	do size = read(told, &err, sizeof(err));
	while (size < 0 && errno == EINTR);
	return size == 0 ? 0 : size == (ssize_t)sizeof(err) ? err : EIO;
}

pid_t launcher_start_shim(const struct launcher *launcher, const struct msg_start_shim *request, struct failure *failure)
{
	int told[2];
	AUTO_CLOSE int listener = listen_at(request->socket_path, failure);
	if (listener < 0) return -1;
	if (pipe2(told, O_CLOEXEC) < 0) {
		int err = errno;
		unlink(request->socket_path);
		return fail(failure, err, "cannot make a pipe for the shim");
	}
	pid_t launcher_pid = getpid();
	pid_t pid = fork();
	if (pid == 0) become_shim(launcher, launcher_pid, request, listener, told);
	int err = pid < 0 ? errno : 0;
	close_at(&told[1]);
	if (pid > 0) err = wait_for_exec(told[0]);
	close_at(&told[0]);
	if (err != 0) {
		unlink(request->socket_path);
		return fail(failure, err, "cannot start the shim of sandbox %s", request->sandbox_id);
	}
	return pid;
}
