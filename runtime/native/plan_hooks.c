/* OCI hooks: run one after the other, with the state on stdin. */
#include <errno.h>
#include <stdio.h>
#include "plan_internal.h"
#include "program.h"

/* Enough of what a failing hook said to understand it, in one line. */
static void last_words(const struct program_result *result, char *text, size_t size)
{
	const uint8_t *from = result->err_size ? result->err : result->out;
	size_t length = result->err_size ? result->err_size : result->out_size, at = 0;
	while (length > 0 && (from[length - 1] == '\n' || from[length - 1] == ' ')) length--;
	if (length >= size) {
		from += length - size + 1;
		length = size - 1;
	}
	for (size_t i = 0; i < length; i++) text[at++] = from[i] < 0x20 || from[i] == 0x7f ? ' ' : (char)from[i];
	text[at] = 0;
}

static int judge(const struct hook *hook, const struct program_result *result, struct failure *failure)
{
	char words[280];
	if (!result->timed_out && result->signal == 0 && result->exit_code == 0) return 0;
	last_words(result, words, sizeof words);
	const char *colon = *words ? ": " : "";
	if (result->timed_out) return fail(failure, ETIMEDOUT, "the hook %.150s did not end within %u ms%s%s", hook->path, hook->timeout_ms, colon, words);
	if (result->signal) return fail(failure, ECANCELED, "the hook %.150s was ended by signal %d%s%s", hook->path, result->signal, colon, words);
	return fail(failure, ECANCELED, "the hook %.150s ended with exit code %d%s%s", hook->path, result->exit_code, colon, words);
}

static int run_hook(const struct hook *hook, struct bytes state, int32_t *group, struct failure *failure)
{
	AUTO_FREE char **argv = strings_of(&hook->args);
	AUTO_FREE char **env = strings_of(&hook->env);
	if (!argv || !env) return fail(failure, ENOMEM, "no memory for the hook %s", hook->path);
	char *alone[] = {(char *)(uintptr_t)hook->path, NULL};
	struct program program = {
		.path = hook->path,
		.argv = argv[0] ? argv : alone,
		.env = env,
		.stdin_bytes = state,
		.group = group,
		.timeout_ms = hook->timeout_ms,
		.max_output = 16384,
	};
	struct program_result result;
	int started = program_run(&program, &result, failure);
	if (started < 0) return started;
	int judged = judge(hook, &result, failure);
	program_result_free(&result);
	return judged;
}

static void keep_hook_error(struct shared_report *report, const struct failure *failure)
{
	size_t length = strlen(report->hook_error);
	snprintf(report->hook_error + length, sizeof report->hook_error - length, "%s%s (%s)", length ? "; " : "", failure->detail,
		 strerror(failure->err));
}

int run_hooks(struct plan *plan, const struct op *op, pid_t pid, bool collect, struct failure *failure)
{
	DECODE(hooks, arguments);
	/* init tells its own pid: what it forks has a number of its pid namespace, and dies with its cgroup. */
	int32_t *group = getpid() != pid ? &plan->report->hook_group : NULL;
	size_t room = strlen(arguments.state_head) + strlen(arguments.state_tail) + 16;
	AUTO_FREE char *state = malloc(room);
	if (!state) return fail(failure, ENOMEM, "no memory for the state");
	int length = snprintf(state, room, "%s%d%s", arguments.state_head, pid, arguments.state_tail);
	for (uint32_t i = 0; i < arguments.hooks.count; i++) {
		struct hook hook;
		struct failure own = {0};
		if (!hook_decode(&arguments.hooks.items, &hook)) return fail(failure, EPROTO, "hook %u cannot be read", i);
		int result = run_hook(&hook, (struct bytes){(const uint8_t *)state, (uint32_t)length}, group, &own);
		if (result < 0 && !collect) {
			*failure = own;
			return result;
		}
		if (result < 0) keep_hook_error(plan->report, &own);
	}
	return 0;
}

int plan_run_poststart(const struct bytes *hooks_args, struct shared_report *report, pid_t init)
{
	struct plan plan;
	struct failure failure = {0};
	struct op op = {OP_HOOKS, *hooks_args};
	plan_init(&plan, &(struct list){0}, report);
	return run_hooks(&plan, &op, init, true, &failure);
}
