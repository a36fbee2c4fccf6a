/* gantry-hook: what an OCI runtime calls for a sandbox's network. It carries out a plan that was made before, or
 * asks the daemon; it decides nothing.
 *
 *   apply PLAN RESULT        createRuntime: the plan has steps in the pod's namespace
 *   apply-host PLAN RESULT   poststop: only steps on the host
 *   ask SOCKET VERB TOKEN    the daemon does it: `VERB TOKEN PID` goes out, `ok` or `error …` comes back
 *
 * PLAN is the payload of a NET_APPLY message, RESULT becomes that of a NET_APPLIED. */
#include <errno.h>
#include <linux/magic.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include "hook.h"
#include "hook_state.h"
#include "net_apply.h"

/* The state holds the annotations, which Kubernetes lets grow to 256 KiB; JSON may double them. */
#define STATE_MAX (4u * 1024 * 1024)
/* The runtime's own timeout for the hook ends it earlier, if it has one. */
#define ASK_TIMEOUT_S 300

static int say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static int say(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fputs("gantry-hook: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	return 1;
}

/* The daemon understands the names, and people do; musl has none. */
static const char *errno_name(int err)
{
#define NAME(code) {code, #code}
	static const struct { int code; const char *name; } NAMES[] = {
		NAME(EPERM), NAME(ENOENT), NAME(ESRCH), NAME(EINTR), NAME(EIO), NAME(ENXIO), NAME(E2BIG), NAME(EBADF), NAME(ECHILD),
		NAME(EAGAIN), NAME(ENOMEM), NAME(EACCES), NAME(EFAULT), NAME(EBUSY), NAME(EEXIST), NAME(EXDEV), NAME(ENODEV),
		NAME(ENOTDIR), NAME(EISDIR), NAME(EINVAL), NAME(ENFILE), NAME(EMFILE), NAME(EFBIG), NAME(ENOSPC), NAME(EROFS),
		NAME(EPIPE), NAME(ERANGE), NAME(ENAMETOOLONG), NAME(ENOSYS), NAME(ENOTEMPTY), NAME(ELOOP), NAME(EPROTO),
		NAME(EOVERFLOW), NAME(EMSGSIZE), NAME(EPROTONOSUPPORT), NAME(EOPNOTSUPP), NAME(EAFNOSUPPORT), NAME(EADDRINUSE),
		NAME(EADDRNOTAVAIL), NAME(ENETDOWN), NAME(ENETUNREACH), NAME(ECONNRESET), NAME(ENOBUFS), NAME(ENOTCONN),
		NAME(ETIMEDOUT), NAME(ECONNREFUSED), NAME(EHOSTUNREACH), NAME(EALREADY), NAME(EDQUOT),
	};
#undef NAME
	for (size_t i = 0; i < LENGTH(NAMES); i++)
		if (NAMES[i].code == err) return NAMES[i].name;
	return strerror(err);
}

/* ---- files */

/* The whole of a descriptor, at most `limit` bytes. NULL with errno. */
static uint8_t *read_whole(int fd, size_t limit, size_t *size)
{
	size_t capacity = 16384;
	uint8_t *data = malloc(capacity);
	*size = 0;
	while (data) {
		ssize_t got = read(fd, data + *size, capacity - *size);
		if (got == 0) return data;
		if (got < 0 && errno != EINTR) break;
		if (got > 0) *size += (size_t)got;
		if (*size < capacity) continue;
		errno = EFBIG;
		uint8_t *grown = capacity < limit ? realloc(data, capacity *= 2) : NULL;
		if (!grown) break;
		data = grown;
	}
	free_at(&data);
	return NULL;
}

static int write_result(const char *path, const struct net_outcome *outcome)
{
	char temporary[4096];
	struct msg_net_applied applied = net_outcome_message(outcome);
	AUTO_FREE uint8_t *data = malloc(outcome->size + 64);
	struct writer writer = {data, 0, outcome->size + 64, false};
	if (!data) return say("no memory for the result");
	msg_net_applied_encode(&writer, &applied);

	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.%d", path, getpid()) >= sizeof(temporary))
		return say("cannot write the result %s: its path is too long", path);
	AUTO_CLOSE int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int result = fd < 0 ? -errno : write_all(fd, data, writer.size);
	if (result == 0 && rename(temporary, path) == 0) return 0;
	int err = result < 0 ? -result : errno;
	unlink(temporary);
	return say("cannot write the result %s: %s", path, errno_name(err));
}

/* ---- the state */

/* 0 when the state has no pid: the container has stopped. Negative when it said why. */
static pid_t read_state(void)
{
	size_t size;
	AUTO_FREE uint8_t *state = read_whole(STDIN_FILENO, STATE_MAX, &size);
	if (!state) return -say("cannot read the container's state from stdin: %s", errno_name(errno));
	pid_t pid = hook_state_pid((const char *)state, size);
	return pid < 0 ? -say("the container's state on stdin is no JSON object with an integer pid") : pid;
}

/* The namespace is opened below a /proc that is procfs and nothing that was put in its place. */
static int open_pod(pid_t pid)
{
	struct statfs status;
	char path[32];
	AUTO_CLOSE int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0 || fstatfs(proc, &status) < 0) return -say("cannot open /proc: %s", errno_name(errno));
	if (status.f_type != PROC_SUPER_MAGIC) return -say("/proc is not procfs");
	snprintf(path, sizeof(path), "%d/ns/net", pid);
	int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -say("cannot open the network namespace of process %d: %s", pid, errno_name(errno)) : fd;
}

/* ---- apply */

static int apply(const char *plan_path, const char *result_path, int pod)
{
	size_t size = 0;
	struct msg_net_apply plan;
	struct net_outcome outcome;
	struct failure failure = {0};

	AUTO_CLOSE int fd = open(plan_path, O_RDONLY | O_CLOEXEC);
	AUTO_FREE uint8_t *data = fd < 0 ? NULL : read_whole(fd, MAX_FRAME_BYTES, &size);
	if (!data) return say("cannot read the network plan %s: %s", plan_path, errno_name(errno));
	struct reader reader = {data, data + size, false};
	if (!msg_net_apply_decode(&reader, &plan) || reader.at != reader.end) return say("%s is no network plan of this version", plan_path);

	int status = net_apply(&plan, pod, &outcome, &failure) < 0
			     ? say("step %u of %u, %s: %s", outcome.step + 1, plan.steps.count, failure.detail, errno_name(failure.err))
			     : write_result(result_path, &outcome);
	net_outcome_free(&outcome);
	return status;
}

/* The state is of no use here, but a runtime may take it ill when nobody reads it. */
static int apply_on_host(const char *plan, const char *result)
{
	size_t size;
	AUTO_FREE uint8_t *state = read_whole(STDIN_FILENO, STATE_MAX, &size);
	return apply(plan, result, -1);
}

static int apply_in_pod(const char *plan, const char *result)
{
	pid_t pid = read_state();
	if (pid < 0) return 1;
	if (pid == 0) return say("the container has no process, so no network namespace to set up");
	AUTO_CLOSE int pod = open_pod(pid);
	return pod < 0 ? 1 : apply(plan, result, pod);
}

/* ---- ask */

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval timeout = {.tv_sec = ASK_TIMEOUT_S};
	if (strlen(path) >= sizeof(address.sun_path)) return -say("the socket path %s is too long", path);
	memcpy(address.sun_path, path, strlen(path) + 1);

	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -say("cannot reach gantryd at %s: %s; is it running?", path, errno_name(errno));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	return take_fd(&fd);
}

/* One line without its end. Answers 0, or -1 when it said why there is none. */
static int read_line(int fd, char *line, size_t room)
{
	for (size_t size = 0; size < room - 1;) {
		ssize_t got = read(fd, line + size, room - 1 - size);
		if (got < 0 && errno == EINTR) continue;
		if (got < 0 && errno == EAGAIN) return -say("gantryd did not answer within %d s", ASK_TIMEOUT_S);
		if (got < 0) return -say("the connection to gantryd failed: %s", errno_name(errno));
		if (got == 0) return -say("gantryd closed the connection before it answered; was it stopped?");
		size += (size_t)got;
		line[size] = 0;
		char *end = strchr(line, '\n');
		if (end) {
			*end = 0;
			return 0;
		}
	}
	return -say("gantryd answered with a line that is too long");
}

static int ask(const char *socket_path, const char *verb, const char *token)
{
	char line[8192];
	if (strpbrk(verb, " \n") || strpbrk(token, " \n")) return say("a verb or token holds a space or a line break");
	pid_t pid = read_state();
	if (pid < 0) return 1;
	AUTO_CLOSE int fd = connect_to(socket_path);
	if (fd < 0) return 1;
	int size = snprintf(line, sizeof(line), "%s %s %d\n", verb, token, pid);
	if ((size_t)size >= sizeof(line)) return say("the token is too long");
	if (send(fd, line, (size_t)size, MSG_NOSIGNAL) != size) return say("cannot send to gantryd: %s", errno_name(errno));
	if (read_line(fd, line, sizeof(line)) < 0) return 1;
	if (strcmp(line, "ok") == 0) return 0;
	if (strncmp(line, "error ", 6) == 0) {
		fprintf(stderr, "%s\n", line + 6);
		return 1;
	}
	return say("gantryd answered what is neither ok nor an error");
}

int hook_main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	if (argc == 4 && strcmp(verb, "apply") == 0) return apply_in_pod(argv[2], argv[3]);
	if (argc == 4 && strcmp(verb, "apply-host") == 0) return apply_on_host(argv[2], argv[3]);
	if (argc == 5 && strcmp(verb, "ask") == 0) return ask(argv[2], argv[3], argv[4]);
	fputs("usage, with the OCI state on stdin:\n"
	      "  gantry-hook apply PLAN RESULT\n"
	      "  gantry-hook apply-host PLAN RESULT\n"
	      "  gantry-hook ask SOCKET VERB TOKEN\n",
	      stderr);
	return 2;
}
