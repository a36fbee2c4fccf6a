#include <errno.h>
#include <string.h>
#include "job.h"
#include "program.h"

/* What is left of a frame for both streams together, beside the other fields. */
#define OUTPUT_MAX ((MAX_FRAME_BYTES - 1024) / 2)

/* The kernel has fewer kinds of them. */
#define NAMESPACES_MAX 16

/* They stay open: this process ends with the program. */
static int open_namespaces(const struct list *paths, int fds[NAMESPACES_MAX], struct failure *failure)
{
	struct reader items = paths->items;
	const char *path;
	if (paths->count > NAMESPACES_MAX) return fail(failure, EINVAL, "%u namespaces to enter are too many", paths->count);
	for (uint32_t i = 0; i < paths->count && get_str(&items, &path); i++) {
		fds[i] = open(path, O_RDONLY | O_CLOEXEC);
		if (fds[i] < 0) return fail(failure, errno, "cannot open the namespace %s", path);
	}
	return 0;
}

/* Whoever reads the daemon's standard error waits for its end, not for ours. */
static void leave_streams(void)
{
	AUTO_CLOSE int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	for (int fd = 0; null >= 0 && fd < 3; fd++) dup2(null, fd);
}

static int run(const struct msg_run *request, int cancel, struct program_result *result, struct failure *failure)
{
	AUTO_FREE char **argv = strings_of(&request->argv);
	AUTO_FREE char **env = strings_of(&request->env);
	int namespaces[NAMESPACES_MAX];

	if (!argv || !env) return fail(failure, errno, "the arguments or the environment cannot be read");
	if (!argv[0] || !strchr(argv[0], '/'))
		return fail(failure, EINVAL, "a program is named by its path; %s is none", argv[0] ? argv[0] : "an empty list");
	if (request->outlives) leave_streams();
	int opened = open_namespaces(&request->namespaces, namespaces, failure);
	if (opened < 0) return opened;
	struct program program = {
		.path = argv[0],
		.argv = argv,
		.env = env,
		.cwd = request->cwd,
		.stdin_bytes = request->stdin,
		.namespaces = namespaces,
		.namespace_count = request->namespaces.count,
		.timeout_ms = request->timeout_ms,
		.max_output = request->max_output < OUTPUT_MAX ? request->max_output : OUTPUT_MAX,
		.cancel = request->outlives ? 0 : cancel,
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
