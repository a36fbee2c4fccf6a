/* See bare.h. The work is done by a second process, so that the first can take everything back however that ends. */
#include "bare.h"
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define WARM_UPS 3
/* The kernel clears up behind a pod for tens of milliseconds, which are not to be measured with the next one. */
#define SETTLE_US 60000

static int name_pod(const struct bare *bare, int number, struct pod *pod)
{
	*pod = (struct pod){.sandbox.pidfd = -1, .container.pidfd = -1, .network = -1, .shared_memory = -1};
	snprintf(pod->cgroup, sizeof pod->cgroup, "%s/pod%d", bare->name, number);
	snprintf(pod->sandbox_cgroup, sizeof pod->sandbox_cgroup, "%s/pod%d/%s-sandbox", bare->name, number, bare->name);
	snprintf(pod->container_cgroup, sizeof pod->container_cgroup, "%s/pod%d/%s-container", bare->name, number, bare->name);
	int length = snprintf(pod->layer, sizeof pod->layer, "%s/containers/%d", bare->folder, number);
	return length < (int)sizeof pod->layer - 16 ? 0 : -ENAMETOOLONG;
}

/* The pod's own cgroup is the kubelet's to make and to remove, and belongs to no call. */
static int live(struct bare *bare, int number)
{
	struct pod pod;
	int result = name_pod(bare, number, &pod);
	if (result == 0) result = cgroup_make(&bare->cgroups, pod.cgroup);
	laps_start(bare->laps);
	if (result == 0) result = sandbox_start(bare, &pod);
	laps_start(bare->laps);
	if (result == 0) result = container_start(bare, &pod);
	laps_start(bare->laps);
	if (result == 0) result = container_end(bare, &pod);
	laps_start(bare->laps);
	if (result == 0) result = sandbox_end(bare, &pod);
	return result < 0 ? result : cgroup_remove(&bare->cgroups, pod.cgroup);
}

static int read_programs(struct bare *bare)
{
	int result = file_read(bare->folder, "sandbox.filter", &bare->sandbox_filter);
	if (result == 0) result = file_read(bare->folder, "container.filter", &bare->container_filter);
	return result < 0 ? result : file_read(bare->folder, "devices.program", &bare->devices);
}

static int open_own(struct bare *bare)
{
	bare->own_network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	bare->own_pids = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	bare->own_mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	bare->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (bare->own_network < 0 || bare->own_pids < 0 || bare->own_mounts < 0 || bare->null < 0) return complain("open", "the own namespaces");
	bare->ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0;
	return 0;
}

static int set_up(struct bare *bare)
{
	char containers[PATH_BYTES];
	int result = read_programs(bare);
	if (result == 0) result = open_own(bare);
	if (result == 0) result = cgroup_make(&bare->cgroups, bare->name);
	if (result == 0) result = cgroup_hand_down(&bare->cgroups, "");
	if (result == 0) result = cgroup_hand_down(&bare->cgroups, bare->name);
	if (result == 0) result = bridge_make(bare);
	snprintf(containers, sizeof containers, "%s/containers", bare->folder);
	if (result == 0 && mkdir(containers, 0700) < 0) result = complain("make the folder", containers);
	return result;
}

static int work(struct bare *bare, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) return -ESRCH;
	int result = set_up(bare);
	for (int number = 0; result == 0 && number < WARM_UPS + bare->rounds; number++) {
		bare->laps->round = number - WARM_UPS;
		result = live(bare, number);
		usleep(SETTLE_US);
	}
	return result;
}

/* What the worker has left is ours to wait for (PR_SET_CHILD_SUBREAPER): it dies with the worker or with its cgroup. */
static int clean_up(const struct bare *bare)
{
	char containers[PATH_BYTES];
	snprintf(containers, sizeof containers, "%s/containers", bare->folder);
	int cgroups = cgroup_remove_tree(&bare->cgroups, bare->name);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR) {}
	int links = links_remove(bare), files = tree_remove(containers);
	return cgroups < 0 ? cgroups : links < 0 ? links : files;
}

/* Until the worker has ended, by itself or because we are told to end. Answers 0, -ECHILD, or the signal's number. */
static int supervise(pid_t worker, const sigset_t *signals)
{
	int status, told = 0;
	for (int number; waitpid(worker, &status, WNOHANG) == 0;) {
		number = sigwaitinfo(signals, NULL);
		if (number <= 0 || number == SIGCHLD) continue;
		told = number;
		kill(worker, SIGKILL);
	}
	if (told) return told;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

static int run(struct bare *bare)
{
	sigset_t signals, before;
	sigemptyset(&signals);
	for (size_t i = 0; i < 4; i++) sigaddset(&signals, (const int[]){SIGCHLD, SIGTERM, SIGINT, SIGHUP}[i]);
	sigprocmask(SIG_BLOCK, &signals, &before);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pid_t parent = getpid(), worker = fork();
	if (worker < 0) return complain("make", "a process");
	if (worker == 0) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		_exit(work(bare, parent) < 0);
	}
	int result = supervise(worker, &signals), cleaned = clean_up(bare);
	return result != 0 ? result : cleaned;
}

/* It begins names of links, which are short, and of cgroups. */
static bool is_name(const char *name)
{
	size_t length = strlen(name);
	for (const char *at = name; *at; at++)
		if (!islower((unsigned char)*at) && !isdigit((unsigned char)*at)) return false;
	return length > 0 && length <= 13;
}

int main(int argc, char **argv)
{
	struct bare bare = {.own_network = -1, .own_pids = -1, .own_mounts = -1, .null = -1};
	bare.rounds = argc == 4 ? atoi(argv[3]) : 0;
	if (bare.rounds < 1 || bare.rounds > ROUNDS_MAX || !is_name(argv[1]) || argv[2][0] != '/' || strlen(argv[2]) > PATH_BYTES / 2) {
		fprintf(stderr, "usage: bare NAME FOLDER ROUNDS\n  NAME: 1 to 13 of a-z and 0-9; FOLDER: an absolute path, see bare.h; ROUNDS: 1 to %d\n", ROUNDS_MAX);
		return 2;
	}
	bare.name = argv[1];
	bare.folder = argv[2];
	bare.laps = laps_new();
	if (!bare.laps || cgroups_detect(&bare.cgroups) < 0) return 1;
	int result = run(&bare);
	if (result == 0) laps_print(bare.laps, bare.rounds);
	return result == 0 ? 0 : result > 0 ? 128 + result : 1;
}
