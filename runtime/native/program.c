#include "program.h"
#include <sys/syscall.h>
#include <errno.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* Between two looks at the deadline. */
#define TURN_BYTES (64u << 10)
/* The most that a pipe holds: what the program wrote before its end. Children of it may go on writing. */
#define PIPE_BYTES (1u << 20)
/* How long a killed program may take to be gone. One in an uninterruptible wait is left to its fate then. */
#define DEATH_MS 5000

/* What one stream brought so far. */
struct collected {
	int fd;
	uint8_t *data;
	size_t size, capacity, limit;
	bool truncated;
};

static int collect(struct collected *to, const uint8_t *data, size_t size)
{
	size_t room = to->limit - to->size;
	if (size > room) {
		size = room;
		to->truncated = true;
	}
	if (to->size + size + 1 > to->capacity) {
		size_t capacity = to->capacity * 2 > to->size + size + 1 ? to->capacity * 2 : to->size + size + 1;
		uint8_t *grown = realloc(to->data, capacity);
		if (!grown) return -ENOMEM;
		to->data = grown;
		to->capacity = capacity;
	}
	if (size) memcpy(to->data + to->size, data, size);
	to->size += size;
	to->data[to->size] = 0;
	return 0;
}

/* Reads what is there now, but not for ever from somebody who writes as fast as we read; closes the descriptor at its end. */
static int read_available(struct collected *from, size_t most)
{
	uint8_t buffer[16384];
	for (size_t seen = 0; from->fd >= 0 && seen < most;) {
		ssize_t n = read(from->fd, buffer, sizeof buffer);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) return 0;
		if (n <= 0) {
			close_at(&from->fd);
			return 0;
		}
		int result = collect(from, buffer, (size_t)n);
		if (result < 0) return result;
		seen += (size_t)n;
	}
	return 0;
}

static void write_available(int *fd, struct bytes *left)
{
	while (left->size > 0) {
		ssize_t n = write(*fd, left->data, left->size);
		if (n < 0 && errno == EINTR) continue;
		if (n < 0 && errno == EAGAIN) return;
		if (n < 0) break; /* it does not read its stdin: its own affair */
		left->data += n;
		left->size -= (uint32_t)n;
	}
	close_at(fd);
}

/* A stack of its own for what runs between clone and exec. */
#define STACK_BYTES (64u << 10)

struct child {
	const struct program *program;
	int in, out, err, tell;
};

/* Never returns. Tells the parent through `tell` why nothing was executed. The memory is the parent's, who waits. */
static int become(void *argument)
{
	const struct child *child = argument;
	const struct program *program = child->program;
	sigset_t none;
	sigemptyset(&none);
	int step = 0;
	/* A creator that is killed, because nobody waits for its container any more, takes the hook with it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setpgid(0, 0);
	for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (dup2(child->in, 0) < 0 || dup2(child->out, 1) < 0 || dup2(child->err, 2) < 0) goto failed;
	step = 1;
	for (size_t i = 0; i < program->namespace_count; i++)
		if (setns(program->namespaces[i], 0) < 0) goto failed;
	step = 2;
	if (program->cwd && *program->cwd && chdir(program->cwd) < 0) goto failed;
	step = 3;
	if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0) goto failed;
	execve(program->path, program->argv, program->env);
failed:;
	int told[2] = {errno, step};
	(void)!write(child->tell, told, sizeof told);
	_exit(127);
}

/* As vfork(2) does it: no page table is copied for a process that only executes another program. */
static pid_t spawn(const struct child *child)
{
	uint8_t *stack = pages_new(STACK_BYTES);
	if (!stack) return -1;
	pid_t pid = clone(become, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, (void *)(uintptr_t)child);
	int err = errno;
	pages_free(stack, STACK_BYTES);
	errno = err;
	return pid;
}

static const char *const STEPS[] = {
	"cannot redirect the standard streams of %s",
	"cannot enter the namespaces for %s",
	"cannot enter the working folder of %s",
	"cannot execute %s",
};

struct running {
	pid_t pid;
	int pidfd, in;
	struct collected out, err;
};

static int start(const struct program *program, struct running *running, struct failure *failure)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1}, tell[2] = {-1, -1};
	int result = 0, told[2];
	if (pipe2(in, O_CLOEXEC) < 0 || pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0 || pipe2(tell, O_CLOEXEC) < 0)
		result = fail(failure, errno, "cannot make pipes for %s", program->path);
	if (result == 0) {
		running->pid = spawn(&(struct child){program, in[0], out[1], err[1], tell[1]});
		if (running->pid < 0) result = fail(failure, errno, "cannot fork for %s", program->path);
	}
	close_at(&in[0]);
	close_at(&out[1]);
	close_at(&err[1]);
	close_at(&tell[1]);
	if (result == 0) {
		setpgid(running->pid, running->pid); /* whoever comes first: a kill of the group must find it */
		ssize_t n;
		do n = read(tell[0], told, sizeof told);
		while (n < 0 && errno == EINTR);
		if (n == (ssize_t)sizeof told) {
			waitpid(running->pid, NULL, 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
			result = fail(failure, told[0], STEPS[told[1]], program->path);
#pragma GCC diagnostic pop
		}
	}
	close_at(&tell[0]);
	if (result < 0) {
		close_at(&in[1]);
		close_at(&out[0]);
		close_at(&err[0]);
		return result;
	}
	set_nonblocking(in[1]);
	set_nonblocking(out[0]);
	set_nonblocking(err[0]);
	running->in = in[1];
	running->out.fd = out[0];
	running->err.fd = err[0];
	running->pidfd = (int)syscall(SYS_pidfd_open, running->pid, 0);
	return 0;
}

static int milliseconds_until(uint64_t deadline)
{
	if (deadline == 0) return -1;
	uint64_t now = monotonic_ns();
	return now >= deadline ? 0 : (int)((deadline - now + 999999) / 1000000 > 1000000 ? 1000000 : (deadline - now + 999999) / 1000000);
}

/* Until the main process ended, or should have; what others of its group still hold open is not waited for. */
static int serve(const struct program *program, struct running *running, struct program_result *result)
{
	struct bytes left = program->stdin_bytes;
	uint64_t deadline = program->timeout_ms ? monotonic_ns() + program->timeout_ms * 1000000u : 0;
	int failed = 0, cancel = program->cancel > 0 ? program->cancel : -1;
	if (left.size == 0) close_at(&running->in);
	for (;;) {
		struct pollfd polls[5] = {
			{running->pidfd, POLLIN, 0},
			{running->in, POLLOUT, 0},
			{running->out.fd, POLLIN, 0},
			{running->err.fd, POLLIN, 0},
			{cancel, 0, 0},
		};
		int ready = poll(polls, 5, milliseconds_until(deadline));
		if (ready < 0 && errno != EINTR) return -errno;
		bool ended = ready > 0 && polls[0].revents;
		if (!ended && deadline && monotonic_ns() >= deadline) {
			if (result->timed_out) return 0;
			result->timed_out = true;
			deadline = monotonic_ns() + DEATH_MS * 1000000ull;
			kill(-running->pid, SIGKILL);
		}
		if (ready <= 0) continue;
		if (polls[4].revents & (POLLHUP | POLLERR)) {
			cancel = -1;
			kill(-running->pid, SIGKILL);
		}
		if (polls[1].revents) write_available(&running->in, &left);
		if (failed == 0 && polls[2].revents) failed = read_available(&running->out, TURN_BYTES);
		if (failed == 0 && polls[3].revents) failed = read_available(&running->err, TURN_BYTES);
		if (failed < 0) {
			kill(-running->pid, SIGKILL);
			return failed;
		}
		if (ended) return 0;
	}
}

int program_run(const struct program *program, struct program_result *result, struct failure *failure)
{
	*result = (struct program_result){0};
	struct running running = {.pid = -1, .pidfd = -1, .in = -1};
	int32_t unused, *group = program->group ? program->group : &unused;
	running.out.limit = running.err.limit = program->max_output;
	int outcome = start(program, &running, failure);
	if (outcome < 0) return outcome;
	if (running.pidfd < 0) outcome = fail(failure, errno, "cannot watch %s", program->path);
	*group = running.pid;
	void (*before)(int) = signal(SIGPIPE, SIG_IGN);
	if (outcome == 0) outcome = serve(program, &running, result);
	signal(SIGPIPE, before);
	if (outcome < 0) {
		kill(-running.pid, SIGKILL);
		fail(failure, -outcome, "cannot collect the output of %s", program->path);
	}
	int status = 0;
	while (waitpid(running.pid, &status, result->timed_out ? WNOHANG : 0) < 0 && errno == EINTR) {}
	*group = 0;
	if (outcome == 0) {
		read_available(&running.out, PIPE_BYTES);
		read_available(&running.err, PIPE_BYTES);
		if (collect(&running.out, NULL, 0) < 0 || collect(&running.err, NULL, 0) < 0)
			outcome = fail(failure, ENOMEM, "cannot collect the output of %s", program->path);
	}
	close_at(&running.pidfd);
	close_at(&running.in);
	close_at(&running.out.fd);
	close_at(&running.err.fd);
	result->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	result->signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	result->truncated = running.out.truncated || running.err.truncated;
	result->out = running.out.data;
	result->out_size = running.out.size;
	result->err = running.err.data;
	result->err_size = running.err.size;
	if (outcome < 0) program_result_free(result);
	return outcome;
}

void program_result_free(struct program_result *result)
{
	free(result->out);
	free(result->err);
	result->out = result->err = NULL;
}

char **strings_of(const struct list *list)
{
	char **strings = calloc((size_t)list->count + 1, sizeof *strings);
	struct reader items = list->items;
	for (uint32_t i = 0; strings && i < list->count; i++) {
		const char *text;
		if (!get_str(&items, &text)) {
			free(strings);
			errno = EPROTO;
			return NULL;
		}
		strings[i] = (char *)(uintptr_t)text;
	}
	return strings;
}

const char *environment_get(char *const *env, const char *name)
{
	size_t length = strlen(name);
	for (; *env; env++)
		if (strncmp(*env, name, length) == 0 && (*env)[length] == '=') return *env + length + 1;
	return NULL;
}
