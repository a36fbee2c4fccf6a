#include <errno.h>
#include "fs_ops.h"
#include "job.h"
#include "tree.h"

static void answer_done(struct conn *answer, uint32_t request_id, int result, const struct failure *failure)
{
	if (result < 0)
		conn_send_failure(answer, request_id, failure);
	else
		conn_send_ok(answer, request_id);
}

void job_fs_apply(struct reader *body, struct conn *answer, uint32_t request_id)
{
	struct msg_fs_apply request;
	struct fs_position at;
	struct failure failure = {0};

	if (!msg_fs_apply_decode(body, &request))
		job_bad_request(answer, request_id);
	else if (fs_apply(request.root, &request.ops, &at, &failure) < 0)
		conn_send_error(answer, request_id, failure.err, at.step, at.kind, failure.detail);
	else
		conn_send_ok(answer, request_id);
}

void job_tree_remove(struct reader *body, struct conn *answer, uint32_t request_id)
{
	struct msg_tree_remove request;
	struct failure failure = {0};

	if (!msg_tree_remove_decode(body, &request))
		job_bad_request(answer, request_id);
	else
		answer_done(answer, request_id, tree_remove(request.path, &failure), &failure);
}

void job_tree_usage(struct reader *body, struct conn *answer, uint32_t request_id)
{
	struct msg_tree_usage request;
	struct tree_usage usage;
	struct failure failure = {0};

	if (!msg_tree_usage_decode(body, &request)) {
		job_bad_request(answer, request_id);
	} else if (tree_usage(request.path, &usage, &failure) < 0) {
		conn_send_failure(answer, request_id, &failure);
	} else {
		struct msg_usage counted = {.bytes = usage.bytes, .inodes = usage.inodes};
		CONN_SEND(answer, request_id, USAGE, usage, 64, &counted);
	}
}

static int sync_fs(const char *path, struct failure *failure)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) return fail(failure, errno, "cannot open %s to sync its file system", path);
	return syncfs(fd) < 0 ? fail(failure, errno, "cannot sync the file system of %s", path) : 0;
}

void job_sync_fs(struct reader *body, struct conn *answer, uint32_t request_id)
{
	struct msg_sync_fs request;
	struct failure failure = {0};

	if (!msg_sync_fs_decode(body, &request))
		job_bad_request(answer, request_id);
	else
		answer_done(answer, request_id, sync_fs(request.path, &failure), &failure);
}
