#include <errno.h>
#include <string.h>
#include "job.h"
#include "program.h"

/* What is left of a frame for both streams together, beside the other fields. */
#define OUTPUT_MAX ((MAX_FRAME_BYTES - 1024) / 2)

static int open_netns(const char *path, struct failure *failure)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? fail(failure, errno, "cannot open the network namespace %s", path) : fd;
}

static int run(const struct msg_run *request, int cancel, struct program_result *result, struct failure *failure)
{
	AUTO_FREE char **argv = strings_of(&request->argv);
	AUTO_FREE char **env = strings_of(&request->env);
	AUTO_CLOSE int netns = -1;

	if (!argv || !env) return fail(failure, errno, "the arguments or the environment cannot be read");
	if (!argv[0] || !strchr(argv[0], '/'))
		return fail(failure, EINVAL, "a program is named by its path; %s is none", argv[0] ? argv[0] : "an empty list");
	if (*request->netns_path && (netns = open_netns(request->netns_path, failure)) < 0) return netns;
	struct program program = {
		.path = argv[0],
		.argv = argv,
		.env = env,
		.cwd = request->cwd,
		.stdin_bytes = request->stdin,
		.netns = netns,
		.timeout_ms = request->timeout_ms,
		.max_output = request->max_output < OUTPUT_MAX ? request->max_output : OUTPUT_MAX,
		.cancel = cancel,
	};
	return program_run(&program, result, failure);
}

void job_run(struct reader *body, struct conn *answer, uint32_t request_id)
{
	struct msg_run request;
	struct program_result result = {0};
	struct failure failure = {0};

	if (!msg_run_decode(body, &request)) {
		job_bad_request(answer, request_id);
		return;
	}
	if (run(&request, answer->fd, &result, &failure) < 0) {
		conn_send_failure(answer, request_id, &failure);
		return;
	}
	struct msg_ran ran = {
		.exit_code = result.exit_code,
		.signal = (uint32_t)result.signal,
		.timed_out = result.timed_out,
		.truncated = result.truncated,
		.stdout = {result.out, (uint32_t)result.out_size},
		.stderr = {result.err, (uint32_t)result.err_size},
	};
	CONN_SEND(answer, request_id, RAN, ran, result.out_size + result.err_size + 64, &ran);
	program_result_free(&result);
}
