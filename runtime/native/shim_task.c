/* The creator and init of one plan. */
#include <sys/syscall.h>
#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "shim_state.h"

int exit_code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }
int signal_of(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }

/* Descriptors of the shim that a creator must not hold: clients, logs, other containers' streams. */
static void keep_only(const struct shim *shim, const struct plan_streams *streams, int leash)
{
	size_t count = 5;
	for (const struct container *container = shim->containers; container; container = container->next) count++;
	int *keep = calloc(count, sizeof *keep);
	if (!keep) _exit(1);
	size_t at = 0;
	keep[at++] = streams->in;
	keep[at++] = streams->out;
	keep[at++] = streams->err;
	keep[at++] = leash;
	keep[at++] = shim->network;
	for (const struct container *container = shim->containers; container; container = container->next) keep[at++] = container->task.pidfd;
	close_all_but(keep, at);
	free(keep);
}

static _Noreturn void creator_main(const struct shim *shim, const struct task *task, const struct list *plan, struct plan_streams streams, int leash)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	keep_only(shim, &streams, leash);
	struct plan_world world = {.pidfd_of = container_pidfd, .context = shim, .network = shim->network};
	_exit(plan_create(plan, task->report, streams, leash, world));
}

int task_start(struct shim *shim, struct task *task, const struct list *plan, struct plan_streams theirs, struct failure *failure)
{
	int pair[2] = {-1, -1}, result = 0;
	task->pidfd = -1;
	task->report = report_new();
	if (!task->report) result = fail(failure, ENOMEM, "no memory for a report");
	else if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) result = fail(failure, errno, "cannot make a socket pair");
	if (result == 0) {
		pid_t pid = fork();
		if (pid == 0) creator_main(shim, task, plan, theirs, pair[1]);
		if (pid < 0) result = fail(failure, errno, "cannot fork");
		else task->creator = pid;
	}
	close_at(&pair[1]);
	close_at(&shim->network);
	close_at(&theirs.in);
	close_at(&theirs.out);
	close_at(&theirs.err);
	if (result < 0) close_at(&pair[0]);
	if (pair[0] >= 0) set_nonblocking(pair[0]);
	task->leash.fd = pair[0];
	return result;
}

bool task_created(struct task *task)
{
	struct failure failure = {0};
	task->pid = task->report->init_pid;
	if (task->pid > 0 && task->pidfd < 0) task->pidfd = (int)syscall(SYS_pidfd_open, task->pid, 0);
	/* Without it nobody could wait for its end or join its namespaces. A process that has ended is told of by the reaper. */
	if (task->pid > 0 && task->pidfd < 0 && errno != ESRCH) {
		fail(&failure, errno, "cannot open a descriptor of process %d", task->pid);
		report_failure(task->report, NO_STEP, 0, &failure);
	}
	task_read_leash(task);
	return WIFEXITED(task->creator_status) && WEXITSTATUS(task->creator_status) == 0 && !task->report->failed && task->pid > 0;
}

/* The kernel drops a descriptor for which there is no number: the process would run without anybody to hear it. */
static bool take_terminal(struct task *task, int fd)
{
	struct failure failure = {0};
	if (fd >= 0 && process_set_terminal(&task->process, fd) == 0) return true;
	fail(&failure, EMFILE, "there is no descriptor for the terminal");
	report_failure(task->report, NO_STEP, 0, &failure);
	return fd >= 0; /* closed with the process's streams */
}

void task_read_leash(struct task *task)
{
	while (task->leash.fd >= 0 && !task->leash_closed) {
		char kind = 0;
		int fd = -1;
		ssize_t n = receive_fd(task->leash.fd, &kind, 1, &fd);
		if (n == -EAGAIN) return;
		if (n > 0 && kind == LEASH_TERMINAL && take_terminal(task, fd)) continue;
		close_at(&fd);
		task->leash_closed = n <= 0;
	}
}

void task_watch_leash(struct shim *shim, struct task *task)
{
	source_watch(&shim->loop, &task->leash, EPOLLIN);
}

void task_close(struct task *task)
{
	source_close(&task->process.shim->loop, &task->leash);
	close_at(&task->pidfd);
	report_free(task->report);
	task->report = NULL;
	process_close(&task->process);
}
