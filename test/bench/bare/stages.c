#include "stages.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

static const char *const PHASES[PHASE_COUNT] = {
	[RUN_SANDBOX] = "RunPodSandbox",
	[START_CONTAINER] = "CreateContainer + StartContainer",
	[END_CONTAINER] = "Stop + RemoveContainer",
	[END_SANDBOX] = "Stop + RemovePodSandbox",
	[BACKGROUND] = "in the background",
};

static const struct {
	enum phase phase;
	const char *name;
} STAGES[STAGE_COUNT] = {
	[SANDBOX_CGROUPS] = {RUN_SANDBOX, "cgroups of the sandbox"},
	[SANDBOX_LIMITS] = {RUN_SANDBOX, "limits and device rules"},
	[SANDBOX_NETNS] = {RUN_SANDBOX, "network namespace"},
	[SANDBOX_VETH] = {RUN_SANDBOX, "veth pair"},
	[SANDBOX_NETWORK] = {RUN_SANDBOX, "settings, addresses, routes"},
	[SANDBOX_CLONE] = {RUN_SANDBOX, "clone with namespaces"},
	[SANDBOX_JOIN] = {RUN_SANDBOX, "joining cgroups and network"},
	[SANDBOX_MOUNTS] = {RUN_SANDBOX, "root, mounts, devices"},
	[SANDBOX_HIDE] = {RUN_SANDBOX, "masked and read-only paths"},
	[SANDBOX_PIVOT] = {RUN_SANDBOX, "pivot_root"},
	[SANDBOX_IDENTITY] = {RUN_SANDBOX, "user and capabilities"},
	[SANDBOX_FILTER] = {RUN_SANDBOX, "seccomp filter"},
	[SANDBOX_EXEC] = {RUN_SANDBOX, "exec"},
	[CONTAINER_FOLDERS] = {START_CONTAINER, "folders of the overlay"},
	[CONTAINER_CGROUPS] = {START_CONTAINER, "cgroups"},
	[CONTAINER_LIMITS] = {START_CONTAINER, "device rules"},
	[CONTAINER_SHARED] = {START_CONTAINER, "/dev/shm of the sandbox"},
	[CONTAINER_CLONE] = {START_CONTAINER, "clone into the pid namespace"},
	[CONTAINER_JOIN] = {START_CONTAINER, "joining cgroups and namespaces"},
	[CONTAINER_OVERLAY] = {START_CONTAINER, "overlay"},
	[CONTAINER_MOUNTS] = {START_CONTAINER, "mounts and devices"},
	[CONTAINER_BINDS] = {START_CONTAINER, "binds"},
	[CONTAINER_PIVOT] = {START_CONTAINER, "pivot_root"},
	[CONTAINER_FILTER] = {START_CONTAINER, "seccomp filter"},
	[CONTAINER_IDENTITY] = {START_CONTAINER, "user and capabilities"},
	[CONTAINER_EXEC] = {START_CONTAINER, "exec"},
	[CONTAINER_KILL] = {END_CONTAINER, "kill and wait"},
	[CONTAINER_RMDIR] = {END_CONTAINER, "removing cgroups"},
	[CONTAINER_FILES] = {END_CONTAINER, "removing the overlay's folders"},
	[SANDBOX_KILL] = {END_SANDBOX, "kill and wait"},
	[SANDBOX_UNLINK] = {END_SANDBOX, "asking for the end of the veth pair"},
	[SANDBOX_RMDIR] = {END_SANDBOX, "removing cgroups"},
	[NETWORK_END] = {BACKGROUND, "network namespace, until its veth pair is gone"},
};

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct laps *laps_new(void)
{
	struct laps *laps = mmap(NULL, sizeof *laps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	return laps == MAP_FAILED ? NULL : laps;
}

void laps_start(struct laps *laps) { laps->last_ns = now_ns(); }

void lap(struct laps *laps, enum stage stage)
{
	uint64_t now = now_ns();
	if (laps->round >= 0 && laps->round < ROUNDS_MAX) laps->ns[stage][laps->round] += now - laps->last_ns;
	laps->last_ns = now;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* By nearest rank, as the bench has its medians. */
static double median_us(const uint64_t *ns, int rounds)
{
	uint64_t sorted[ROUNDS_MAX];
	for (int i = 0; i < rounds; i++) sorted[i] = ns[i];
	qsort(sorted, (size_t)rounds, sizeof *sorted, by_value);
	return (double)sorted[(rounds + 1) / 2 - 1] / 1000;
}

static void print_phase(const struct laps *laps, int rounds, enum phase phase)
{
	uint64_t sums[ROUNDS_MAX] = {0};
	for (int stage = 0; stage < STAGE_COUNT; stage++)
		for (int i = 0; STAGES[stage].phase == phase && i < rounds; i++) sums[i] += laps->ns[stage][i];
	printf("{\"name\":\"%s\",\"median_us\":%.1f,\"sums_us\":[", PHASES[phase], median_us(sums, rounds));
	for (int i = 0; i < rounds; i++) printf("%s%.1f", i ? "," : "", (double)sums[i] / 1000);
	printf("],\"stages\":[");
	const char *separator = "";
	for (int stage = 0; stage < STAGE_COUNT; stage++) {
		if (STAGES[stage].phase != phase) continue;
		printf("%s{\"name\":\"%s\",\"median_us\":%.1f}", separator, STAGES[stage].name, median_us(laps->ns[stage], rounds));
		separator = ",";
	}
	printf("]}");
}

void laps_print(const struct laps *laps, int rounds)
{
	printf("{\"rounds\":%d,\"calls\":[", rounds);
	for (int call = 0; call < CALL_COUNT; call++) {
		if (call > 0) printf(",");
		print_phase(laps, rounds, (enum phase)call);
	}
	printf("],\"background\":");
	print_phase(laps, rounds, BACKGROUND);
	printf("}\n");
}
