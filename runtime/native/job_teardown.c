#include <errno.h>
#include <string.h>
#include "job.h"
#include "plan.h"

/* The same plan that a shim carries out at DELETE, for containers whose shim is dead. */
void job_teardown(struct reader *body, struct conn *answer, uint32_t request_id)
{
	struct msg_teardown request;
	struct failure failure = {0};

	if (!msg_teardown_decode(body, &request)) {
		job_bad_request(answer, request_id);
		return;
	}
	struct shared_report *report = report_new();
	if (!report) {
		fail(&failure, ENOMEM, "no memory for the report of the teardown");
		conn_send_failure(answer, request_id, &failure);
		return;
	}
	if (plan_run_host(&request.plan, report) < 0) {
		conn_send_error(answer, request_id, report->failure.err, report->step, report->op, report->failure.detail);
	} else {
		struct list timings = report_encode_timings(report, 0);
		struct msg_deleted deleted = {.hook_error = report->hook_error, .timings = timings};
		size_t room = report_timings_size(report, 0) + strlen(report->hook_error) + 64;
		CONN_SEND(answer, request_id, DELETED, deleted, room, &deleted);
		free((void *)(uintptr_t)timings.items.at);
	}
	report_free(report);
}
