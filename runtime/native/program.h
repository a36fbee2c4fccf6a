/* Runs a program to its end: OCI hooks, CNI plug-ins, other runtimes. Blocking: call it in a forked process. */
#pragma once
#include "protocol.h"
#include "util.h"

struct program {
	const char *path;	   /* executed as it is; with a slash */
	char *const *argv;	   /* ends with NULL */
	char *const *env;	   /* ends with NULL */
	const char *cwd;	   /* NULL or "": stay */
	struct bytes stdin_bytes;
	const int *namespaces;	   /* to enter first, in this order */
	size_t namespace_count;
	uint64_t timeout_ms;	   /* 0: none. Then the whole process group is killed */
	size_t max_output;	   /* per stream; what is beyond it is read and dropped */
	int32_t *group;		   /* not NULL: the process group while it runs, 0 otherwise; for whoever must end it when we cannot */
	int cancel;		   /* > 0: a socket; when its other side closes, the process group is killed */
};

struct program_result {
	int exit_code;		   /* -1 when a signal ended it */
	int signal;
	bool timed_out, truncated;
	uint8_t *out, *err;	   /* each NUL-terminated after its size; free with program_result_free */
	size_t out_size, err_size;
};

/* 0 when the program ran (whatever its exit code), -errno with failure when it could not be started. SIGCHLD must not be ignored. */
int program_run(const struct program *program, struct program_result *result, struct failure *failure);
void program_result_free(struct program_result *result);

/* A list of str as a NULL-terminated array that points into the frame. Free the array only. NULL: no memory or a bad list. */
char **strings_of(const struct list *list);
/* The value of NAME in a NULL-terminated environment, or NULL. */
const char *environment_get(char *const *env, const char *name);
