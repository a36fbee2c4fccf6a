#include "job.h"
#include "seccomp_compile.h"

void job_seccomp(struct reader *body, struct conn *answer, uint32_t request_id)
{
	struct msg_seccomp profile;
	struct filter filter;
	struct failure failure = {0};

	if (!msg_seccomp_decode(body, &profile)) {
		job_bad_request(answer, request_id);
		return;
	}
	if (seccomp_compile(&profile, &filter, &failure) < 0) {
		conn_send_failure(answer, request_id, &failure);
		return;
	}
	size_t size = filter.count * sizeof(*filter.instructions);
	struct msg_filter compiled = {.program = {(const uint8_t *)filter.instructions, (uint32_t)size}};
	CONN_SEND(answer, request_id, FILTER, filter, size + 64, &compiled);
	filter_free(&filter);
}
