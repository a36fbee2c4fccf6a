/* Requests that may take time run in a forked process, many at once; each answers with one frame. */
#pragma once
#include <errno.h>
#include "conn.h"
#include "protocol.h"
#include "util.h"

/* Carries out a request and answers it on `answer`. Runs in a process of its own, which ends afterwards. */
typedef void (*job_function)(struct reader *body, struct conn *answer, uint32_t request_id);

void job_run(struct reader *body, struct conn *answer, uint32_t request_id);
void job_seccomp(struct reader *body, struct conn *answer, uint32_t request_id);
void job_net_apply(struct reader *body, struct conn *answer, uint32_t request_id);
void job_fs_apply(struct reader *body, struct conn *answer, uint32_t request_id);
void job_tree_remove(struct reader *body, struct conn *answer, uint32_t request_id);
void job_tree_usage(struct reader *body, struct conn *answer, uint32_t request_id);
void job_sync_fs(struct reader *body, struct conn *answer, uint32_t request_id);
void job_teardown(struct reader *body, struct conn *answer, uint32_t request_id);

/* The answer to a request whose fields cannot be read. */
static inline void job_bad_request(struct conn *answer, uint32_t request_id)
{
	conn_send_error(answer, request_id, EBADMSG, NO_STEP, 0, "the request's fields cannot be read");
}
