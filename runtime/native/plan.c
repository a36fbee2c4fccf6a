#include "plan_internal.h"
#include <errno.h>
#include <linux/close_range.h>

struct shared_report *report_new(void)
{
	return pages_new_shared(sizeof(struct shared_report));
}

void report_free(struct shared_report *report)
{
	pages_free(report, sizeof *report);
}

void report_failure(struct shared_report *report, uint32_t step, uint32_t op, const struct failure *failure)
{
	if (report->failed) return;
	report->step = step;
	report->op = op;
	report->failure = *failure;
	report->failed = 1;
}

void report_timing(struct shared_report *report, uint32_t step, uint32_t op, uint64_t elapsed_ns)
{
	if (report->timing_count < REPORT_TIMINGS) report->timings[report->timing_count++] = (struct timing){step, op, elapsed_ns};
}

size_t report_timings_size(const struct shared_report *report, uint32_t from)
{
	uint32_t count = report->timing_count > from ? report->timing_count - from : 0;
	return (size_t)count * 16 + 64;
}

struct list report_encode_timings(const struct shared_report *report, uint32_t from)
{
	struct writer writer = {malloc(report_timings_size(report, from)), 0, report_timings_size(report, from), false};
	struct list list = {0};
	if (!writer.data) return list;
	for (uint32_t i = from; i < report->timing_count; i++, list.count++) timing_encode(&writer, &report->timings[i]);
	list.items = (struct reader){writer.data, writer.data + writer.size, false};
	return list;
}

void plan_init(struct plan *plan, const struct list *ops, struct shared_report *report)
{
	*plan = (struct plan){
		.ops = *ops, .report = report, .leash = -1, .link = -1, .proc = -1,
		.init_pidfd = -1, .mount_namespace = -1, .root = -1, .null_mount = -1, .empty_mount = -1, .map_namespace = -1,
	};
}

bool plan_next(struct reader *ops, struct op *op)
{
	return ops->at < ops->end && op_decode(ops, op);
}

int plan_step(struct plan *plan, uint32_t index, const struct op *op, op_runner run)
{
	struct failure failure = {0};
	uint64_t started = monotonic_ns();
	plan->step = index;
	int result = run(plan, op, &failure);
	report_timing(plan->report, index, op->code, monotonic_ns() - started);
	if (result < 0) {
		if (failure.err == 0) fail(&failure, -result, "the step failed");
		report_failure(plan->report, index, op->code, &failure);
	}
	return result;
}

int plan_run_host(const struct list *ops, struct shared_report *report)
{
	struct plan plan;
	struct op op;
	plan_init(&plan, ops, report);
	int result = 0;
	for (uint32_t index = 0; plan_next(&plan.ops.items, &op); index++) {
		int one = plan_step(&plan, index, &op, run_host_op);
		if (result == 0) result = one;
	}
	return result;
}

static bool is_quick(const struct list *ops)
{
	struct reader items = ops->items;
	for (struct op op; plan_next(&items, &op);)
		if (op.code != OP_CGROUP_KILL && op.code != OP_CGROUP_REMOVE) return false;
	return true;
}

bool plan_run_at_once(const struct list *ops, struct shared_report *report)
{
	struct plan plan;
	struct op op;
	plan_init(&plan, ops, report);
	plan.at_once = true;
	bool done = is_quick(ops);
	for (uint32_t index = 0; done && plan_next(&plan.ops.items, &op); index++) done = plan_step(&plan, index, &op, run_host_op) == 0;
	if (!done) *report = (struct shared_report){0};
	return done;
}

void close_all_but(const int *keep, size_t count)
{
	unsigned int from = 3;
	for (;;) {
		unsigned int next = ~0u;
		for (size_t i = 0; i < count; i++)
			if (keep[i] >= 0 && (unsigned int)keep[i] >= from && (unsigned int)keep[i] < next) next = (unsigned int)keep[i];
		if (next > from) close_range(from, next == ~0u ? next : next - 1, 0);
		if (next == ~0u) return;
		from = next + 1;
	}
}
