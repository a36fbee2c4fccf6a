/* The stages of a pod's life, and how long each took in every round. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define ROUNDS_MAX 1000

/* The CRI calls whose share of the kernel is told, and what the kernel does after them by itself. */
enum phase { RUN_SANDBOX, START_CONTAINER, END_CONTAINER, END_SANDBOX, CALL_COUNT, BACKGROUND = CALL_COUNT, PHASE_COUNT };

enum stage {
	SANDBOX_CGROUPS, SANDBOX_LIMITS, SANDBOX_NETNS, SANDBOX_VETH, SANDBOX_NETWORK, SANDBOX_CLONE, SANDBOX_JOIN, SANDBOX_MOUNTS,
	SANDBOX_HIDE, SANDBOX_PIVOT, SANDBOX_IDENTITY, SANDBOX_FILTER, SANDBOX_EXEC,
	CONTAINER_FOLDERS, CONTAINER_CGROUPS, CONTAINER_LIMITS, CONTAINER_SHARED, CONTAINER_CLONE, CONTAINER_JOIN, CONTAINER_OVERLAY,
	CONTAINER_MOUNTS, CONTAINER_BINDS, CONTAINER_PIVOT, CONTAINER_FILTER, CONTAINER_IDENTITY, CONTAINER_EXEC,
	CONTAINER_KILL, CONTAINER_RMDIR, CONTAINER_FILES,
	SANDBOX_KILL, SANDBOX_UNLINK, SANDBOX_RMDIR,
	NETWORK_END,
	STAGE_COUNT
};

/* Shared with the processes that are made: a stage ends in one process, and the next begins in another. */
struct laps {
	uint64_t last_ns;
	int round; /* negative: a warm-up, of which nothing is kept */
	uint64_t ns[STAGE_COUNT][ROUNDS_MAX];
};

/* NULL with errno. Lives as long as the process. */
struct laps *laps_new(void);

/* The clock starts: what was before belongs to no stage. */
void laps_start(struct laps *laps);

/* What has passed since the last lap, or the start, belongs to this stage; added up when it is named again. */
void lap(struct laps *laps, enum stage stage);

/* JSON: for every call its sum in each round and the median of these, and the median of each of its stages, all in µs;
 * the same for the background. */
void laps_print(const struct laps *laps, int rounds);
