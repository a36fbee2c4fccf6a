/* DELETE: what is left is killed and waited for, then a worker carries out the teardown plan. There is none when the
 * container has ended before and the plan has nothing that could take long: a fork takes longer than all of that.
 *
 * The worker is forked at once, while the plan lies in its frame, and itself waits for init's end; so the plan is
 * never copied, and the shim goes on meanwhile.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include "shim_state.h"

/* A process in an uninterruptible wait may take its time. */
#define DEATH_MS 10000

pid_t fork_worker(int keep)
{
	sigset_t none;
	pid_t pid = fork();
	if (pid != 0) return pid < 0 ? -errno : pid;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	close_all_but(&keep, 1);
	return 0;
}

static _Noreturn void worker_main(int init, const struct list *plan, struct shared_report *report)
{
	struct failure failure = {0};
	struct pollfd end = {init, POLLIN, 0};
	int ready = 1;
	while (init >= 0 && (ready = poll(&end, 1, DEATH_MS)) < 0 && errno == EINTR) {}
	if (ready <= 0) {
		fail(&failure, ETIMEDOUT, "the process is still there %d ms after SIGKILL", DEATH_MS);
		report_failure(report, NO_STEP, 0, &failure);
		_exit(1);
	}
	_exit(plan_run_host(plan, report) < 0);
}

static pid_t start_worker(int init, const struct list *plan, struct shared_report *report)
{
	pid_t pid = fork_worker(init);
	if (pid == 0) worker_main(init, plan, report);
	return pid;
}

/* A container that is not here any more, or never was: its plan is carried out all the same. It needs a place in the
 * table so that its worker is found. */
static struct container *stand_in(struct shim *shim, const char *id)
{
	struct container *container = calloc(1, sizeof *container);
	if (!container) return NULL;
	process_init(&container->task.process, shim);
	container->task.leash.fd = container->task.pidfd = -1;
	container->id = strdup(id);
	container->folder = strdup("");
	container->phase = STOPPED;
	container->task.reaped = container->exit_told = true;
	container->next = shim->containers;
	shim->containers = container;
	return container;
}

int container_delete(struct shim *shim, struct client *client, const struct frame *frame)
{
	struct msg_delete request;
	struct reader body = frame->body;
	if (!msg_delete_decode(&body, &request)) return -EPROTO;
	struct container *container = container_find(shim, request.id);
	if (container && (container->phase == CREATING || container->phase == STARTING || container->deleting))
		return refuse(client, frame->request_id, EBUSY, "container %s is being %s", request.id,
			      container->phase == CREATING ? "created" : container->deleting ? "deleted" : "started");
	if (!container) container = stand_in(shim, request.id);
	struct shared_report *report = report_new();
	if (!container || !container->id || !report) {
		report_free(report);
		return refuse(client, frame->request_id, ENOMEM, "no memory for the teardown of %s", request.id);
	}
	struct task *task = &container->task;
	container->worker_status = 0;
	if (!task->reaped || !plan_run_at_once(&request.plan, report)) {
		if (!task->reaped) kill(task->pid, SIGKILL);
		/* A frozen one dies only when its group is thawed. */
		if (!task->reaped && container->cgroup) kill_all(container, SIGKILL);
		container->worker = start_worker(task->reaped ? -1 : task->pidfd, &request.plan, report);
	}
	if (container->worker < 0) {
		int err = (int)-container->worker;
		container->worker = 0;
		report_free(report);
		return refuse(client, frame->request_id, err, "cannot fork for the teardown of %s", request.id);
	}
	container->worker_report = report;
	container->deleting = true;
	container->delete_waiting = (struct request){client, frame->request_id};
	delete_advance(shim, container);
	return 0;
}

static void answer_deleted(struct container *container)
{
	struct client *client = container->delete_waiting.client;
	struct shared_report *report = container->worker_report;
	if (!client) return;
	struct msg_deleted deleted = {.hook_error = report->hook_error, .timings = report_encode_timings(report, 0)};
	size_t room = report_timings_size(report, 0) + strlen(report->hook_error);
	CONN_SEND(&client->conn, container->delete_waiting.id, DELETED, deleted, room, &deleted);
	free((void *)(uintptr_t)deleted.timings.items.at);
	client_sent(client);
}

static void answer_failed(struct container *container)
{
	struct client *client = container->delete_waiting.client;
	const struct shared_report *report = container->worker_report;
	if (!client) return;
	if (report->failed) conn_send_error(&client->conn, container->delete_waiting.id, report->failure.err, report->step, report->op, report->failure.detail);
	else refuse(client, container->delete_waiting.id, ECHILD, "the teardown of %s was killed", container->id);
	client_sent(client);
}

/* After a failure the container stays, stopped: DELETE can be tried again. */
void delete_advance(struct shim *shim, struct container *container)
{
	if (container->worker) return;
	bool done = WIFEXITED(container->worker_status) && WEXITSTATUS(container->worker_status) == 0;
	if (done && !container->task.reaped) return;
	container->deleting = false;
	if (done) answer_deleted(container);
	else answer_failed(container);
	container->delete_waiting.client = NULL;
	report_free(container->worker_report);
	container->worker_report = NULL;
	if (done || container->task.pid == 0) container_free(shim, container);
}
