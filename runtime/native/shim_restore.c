/* A container that is restored: a program makes its process beside itself, as a child of ours.
 *
 *   creator ── spawn ──> the program ── clone(CLONE_PARENT) ──> the container's process, stopped
 *      x                     │ writes pid_file                       │
 *                            x exit 0 ── CREATED is answered         │
 *                                        START ── SIGCONT to all ──> │ goes on
 */
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "shim_state.h"

void remember_restore(struct container *container, const struct op *op)
{
	struct op_restore restore;
	struct reader arguments = {op->args.data, op->args.data + op->args.size, false};
	if (!op_restore_decode(&arguments, &restore) || container->pid_file) return;
	container->pid_file = strdup(restore.pid_file);
}

static pid_t read_pid(const char *path)
{
	char text[32];
	ssize_t length = read_file_at(AT_FDCWD, path, text, sizeof text - 1);
	if (length <= 0) return 0;
	text[length] = 0;
	return (pid_t)strtol(text, NULL, 10);
}

/* A number in a file may be anybody's by now: only a child of ours can be waited for. */
static int open_child(pid_t pid)
{
	siginfo_t seen;
	AUTO_CLOSE int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (fd < 0 || waitid(P_PIDFD, (id_t)fd, &seen, WEXITED | WNOHANG | WNOWAIT) < 0) return -1;
	return take_fd(&fd);
}

static int judge(const struct task *task, struct failure *failure)
{
	if (WIFSIGNALED(task->status)) return fail(failure, ECANCELED, "the program that restores it was ended by signal %d", WTERMSIG(task->status));
	if (WEXITSTATUS(task->status) != 0) return fail(failure, ECANCELED, "the program that restores it ended with exit code %d", WEXITSTATUS(task->status));
	return 0;
}

bool restore_adopt(struct container *container)
{
	struct task *task = &container->task;
	struct failure failure = {0};
	int result = judge(task, &failure);
	pid_t pid = result < 0 ? 0 : read_pid(container->pid_file);
	int pidfd = pid > 0 ? open_child(pid) : -1;
	if (result == 0 && pidfd < 0) result = fail(&failure, ECHILD, "the restored process ended at once");
	unlink(container->pid_file);
	if (result < 0) {
		report_failure(task->report, NO_STEP, OP_RESTORE, &failure);
		return false;
	}
	close_at(&task->pidfd);
	task->pidfd = pidfd;
	task->pid = task->report->init_pid = pid;
	task->reaped = false;
	return true;
}
