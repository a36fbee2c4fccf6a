/* Launch plans: a list of operations (OPS of runtime/shim/schema.ts) carried out in order. */
#pragma once
#include "protocol.h"
#include "util.h"

#define REPORT_TIMINGS 768

/* What a plan's processes tell the one that started them, in memory shared by all of them. */
struct shared_report {
	int32_t init_pid; /* set by the kernel before init runs (CLONE_PARENT_SETTID), in the caller's pid namespace */
	int32_t hook_group; /* the process group of the hook that the creator runs now; 0: none */
	uint32_t failed;  /* 1 once `step`, `op` and `failure` are written; only the first failure is kept */
	uint32_t step, op;
	struct failure failure;
	uint32_t executing; /* 1 once execve is called: what ends the process now is its own affair */
	char hook_error[1024]; /* what failed in poststart and poststop hooks; "" if nothing */
	uint32_t timing_count;
	struct timing timings[REPORT_TIMINGS];
};

/* Shared anonymous memory; NULL when there is none. */
struct shared_report *report_new(void);
void report_free(struct shared_report *report);
/* Keeps the first failure. */
void report_failure(struct shared_report *report, uint32_t step, uint32_t op, const struct failure *failure);
void report_timing(struct shared_report *report, uint32_t step, uint32_t op, uint64_t elapsed_ns);
/* The timings in encoded form for CREATED, STARTED and DELETED; free items.at. from: index of the first. */
struct list report_encode_timings(const struct shared_report *report, uint32_t from);
/* Bytes that the reply needs beside its list. */
size_t report_timings_size(const struct shared_report *report, uint32_t from);

/* Carries out a plan that has host operations only (teardown). Every step is tried; the first failure is reported
 * and answered (-errno). Blocking: call it in a forked process. */
int plan_run_host(const struct list *ops, struct shared_report *report);
/* The same without ever blocking: true when all was done. False when the plan has operations that may take long, when
 * one would have to wait, or failed: then all of it is to be carried out by plan_run_host, with the report cleared. */
bool plan_run_at_once(const struct list *ops, struct shared_report *report);

struct plan_streams {
	int in, out, err; /* -1: /dev/null */
};

/* What a plan may use of the shim. */
struct plan_world {
	/* Maps an id of the same shim to a pidfd of that container's init. */
	int (*pidfd_of)(const void *context, const char *id);
	const void *context;
	int network; /* a network namespace that was made ahead; -1: none */
};

/* The whole of a creator: carries out a plan with a `spawn` up to wait_start, or to the exec of a plan without one.
 * leash: init's end of a SOCK_SEQPACKET pair with the shim. Call it in a forked process; the answer is its exit status.
 * On failure no process of it is left. */
int plan_create(const struct list *ops, struct shared_report *report, struct plan_streams streams, int leash, struct plan_world world);
/* The poststart hooks of a plan, in their own process; failures go to report->hook_error. */
int plan_run_poststart(const struct bytes *hooks_args, struct shared_report *report, pid_t init);
/* Closes every descriptor but the standard streams and these. */
void close_all_but(const int *keep, size_t count);

/* The byte that the shim sends over the leash at START, and what init sends with a terminal's master. */
#define LEASH_GO 'g'
#define LEASH_TERMINAL 't'
