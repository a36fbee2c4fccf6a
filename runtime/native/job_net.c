#include <errno.h>
#include "job.h"
#include "net_apply.h"

static int open_pod(const char *path, int *pod, struct failure *failure)
{
	*pod = *path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	return *path && *pod < 0 ? fail(failure, errno, "cannot open the network namespace %s", path) : 0;
}

void job_net_apply(struct reader *body, struct conn *answer, uint32_t request_id)
{
	struct msg_net_apply plan;
	struct net_outcome outcome = {.step = NO_STEP};
	struct failure failure = {0};
	AUTO_CLOSE int pod = -1;

	if (!msg_net_apply_decode(body, &plan)) {
		job_bad_request(answer, request_id);
		return;
	}
	if (open_pod(plan.netns_path, &pod, &failure) < 0 || net_apply(&plan, pod, &outcome, &failure) < 0) {
		conn_send_error(answer, request_id, failure.err, outcome.step, outcome.kind, failure.detail);
	} else {
		struct msg_net_applied applied = net_outcome_message(&outcome);
		CONN_SEND(answer, request_id, NET_APPLIED, net_applied, outcome.size + 64, &applied);
	}
	net_outcome_free(&outcome);
}
