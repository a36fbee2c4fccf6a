/* The creator: the host's side of CREATE and EXEC, in a process of its own. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include "plan_internal.h"

static int pin_namespace(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(pin_namespace, arguments);
	char source[64];
	snprintf(source, sizeof source, "/proc/%d/ns/%.20s", plan->report->init_pid, arguments.name);
	AUTO_CLOSE int file = open(arguments.path, O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0444);
	if (file < 0) return fail(failure, errno, "cannot make the file %s", arguments.path);
	if (mount(source, arguments.path, NULL, MS_BIND, NULL) < 0) {
		int err = errno;
		unlink(arguments.path);
		return fail(failure, err, "cannot pin the %s namespace at %s", arguments.name, arguments.path);
	}
	return 0;
}

/* Carries out for init what it asked for. */
static int serve_step(struct plan *plan, const struct op *op, int *fd, struct failure *failure)
{
	switch (op->code) {
	case OP_PIN_NAMESPACE: return pin_namespace(plan, op, failure);
	case OP_HOOKS: return run_hooks(plan, op, plan->report->init_pid, false, failure);
	default: return make_source_here(plan, op, fd, failure);
	}
}

static int answer(struct plan *plan, uint32_t step, const struct op *op)
{
	struct failure failure = {0};
	AUTO_CLOSE int fd = -1;
	plan->step = step;
	int result = serve_step(plan, op, &fd, &failure);
	if (result < 0) report_failure(plan->report, step, op->code, &failure);
	int sent = link_send(plan->link, LINK_ANSWER, step, result, fd);
	return result < 0 ? result : sent;
}

static bool find_step(const struct plan *plan, uint32_t wanted, struct op *op)
{
	struct reader ops = plan->ops.items;
	for (uint32_t index = 0; plan_next(&ops, op); index++)
		if (index == wanted) return true;
	return false;
}

/* Until init says that it is created, or closes the link: by its exec, or by its death. */
static int serve(struct plan *plan, uint32_t spawn_step, bool waits_for_start)
{
	struct link_message message;
	for (;;) {
		struct op op;
		int result = link_wait(plan->link, 0, &message, NULL);
		if (result == 0 && message.kind == LINK_CREATED) return 0;
		if (result == 0 && message.kind == LINK_ASK && find_step(plan, message.step, &op)) {
			result = answer(plan, message.step, &op);
			if (result < 0) return result;
			continue;
		}
		if (plan->report->failed) return -plan->report->failure.err;
		if (!waits_for_start && plan->report->executing) return 0;
		struct failure failure = {0};
		fail(&failure, ECHILD, "the container's process was killed while it was made");
		report_failure(plan->report, spawn_step, OP_SPAWN, &failure);
		return -ECHILD;
	}
}

/* What failed is killed and seen dead before anybody is told, so that its cgroup can be removed. */
static void kill_init(struct plan *plan)
{
	if (plan->init_pidfd < 0) return;
	syscall(SYS_pidfd_send_signal, plan->init_pidfd, SIGKILL, NULL, 0);
	struct pollfd poll_init = {plan->init_pidfd, POLLIN, 0};
	while (poll(&poll_init, 1, 10000) < 0 && errno == EINTR) {}
}

static bool has_op(const struct list *ops, uint32_t code)
{
	struct reader items = ops->items;
	for (struct op op; plan_next(&items, &op);)
		if (op.code == code) return true;
	return false;
}

static int carry_out(struct plan *plan)
{
	struct reader ops = plan->ops.items;
	struct op op;
	for (uint32_t index = 0; plan_next(&ops, &op); index++) {
		int result = plan_step(plan, index, &op, op.code == OP_SPAWN ? spawn : run_host_op);
		if (result < 0) return result;
		if (op.code == OP_SPAWN) return serve(plan, index, has_op(&plan->ops, OP_WAIT_START));
	}
	struct failure failure = {0};
	fail(&failure, EINVAL, "the plan makes no process");
	report_failure(plan->report, NO_STEP, 0, &failure);
	return -EINVAL;
}

/* The creator's own standard streams become init's; it needs none itself. */
static int take_streams(struct plan_streams streams, struct failure *failure)
{
	char path[32];
	AUTO_CLOSE int mount = copy_null(failure);
	if (mount < 0) return mount;
	snprintf(path, sizeof path, "/proc/self/fd/%d", mount);
	AUTO_CLOSE int null = open(path, O_RDWR | O_CLOEXEC);
	const int from[3] = {streams.in, streams.out, streams.err};
	for (int i = 0; i < 3; i++)
		if (dup2(from[i] >= 0 ? from[i] : null, i) < 0) return -errno;
	return 0;
}

int plan_create(const struct list *ops, struct shared_report *report, struct plan_streams streams, int leash, struct plan_world world)
{
	struct plan plan;
	struct failure failure = {0};
	plan_init(&plan, ops, report);
	plan.world = world;
	plan.leash = leash;
	prctl(PR_SET_DUMPABLE, 0);
	plan.proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	plan.mount_namespace = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (take_streams(streams, &failure) < 0 || plan.proc < 0 || plan.mount_namespace < 0) {
		fail(&failure, errno, "cannot open /proc and /dev/null");
		report_failure(report, NO_STEP, 0, &failure);
		return 1;
	}
	if (carry_out(&plan) == 0) return 0;
	kill_init(&plan);
	return 1;
}
