/* Ends of children: creators, workers, containers, execs, and orphans that fell to us. */
#include <errno.h>
#include <sys/wait.h>
#include "shim_state.h"

static bool note_task(struct task *task, pid_t pid, int status)
{
	if (pid == task->creator) {
		task->creator = 0;
		task->creator_status = status;
		return true;
	}
	/* Before the creator has ended, init is known only from the report, where the kernel wrote it. */
	pid_t init = task->pid ? task->pid : task->report ? task->report->init_pid : 0;
	if (pid != init || task->reaped) return false;
	task->reaped = true;
	task->status = status;
	task->exited_at_ns = realtime_ns();
	return true;
}

static bool note_container(struct container *container, pid_t pid, int status)
{
	if (pid != container->worker) return note_task(&container->task, pid, status);
	container->worker = 0;
	container->worker_status = status;
	return true;
}

static void note(struct shim *shim, pid_t pid, int status)
{
	for (struct container *container = shim->containers; container; container = container->next)
		if (note_container(container, pid, status)) return;
	for (struct exec *exec = shim->execs; exec; exec = exec->next)
		if (note_task(&exec->task, pid, status)) return;
}

void reap(struct shim *shim)
{
	int status;
	pid_t pid;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0 || (pid < 0 && errno == EINTR))
		if (pid > 0) note(shim, pid, status);
	for (struct container *container = shim->containers, *next; container; container = next) {
		next = container->next;
		container_advance(shim, container);
	}
	for (struct exec *exec = shim->execs, *next; exec; exec = next) {
		next = exec->next;
		exec_advance(shim, exec);
	}
}
