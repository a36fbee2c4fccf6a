/* Signals to all processes of a cgroup and below. */
#include <errno.h>
#include <signal.h>
#include "cgroup.h"
#include "plan_internal.h"

/* A container that may make groups of its own gives them any name. */
bool is_cgroup_below(const struct dirent *entry)
{
	return entry->d_type == DT_DIR && strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

struct order {
	int signal;
	struct met *met;
};

/* Calls `each` for every folder below and then for the folder itself. Answers the sum, or the first -errno. */
static int walk_below(int folder, int (*each)(int folder, const struct order *order), const struct order *order)
{
	int duplicate = fcntl(folder, F_DUPFD_CLOEXEC, 3);
	DIR *entries = duplicate < 0 ? NULL : fdopendir(duplicate);
	if (!entries) {
		close_at(&duplicate);
		return -errno;
	}
	rewinddir(entries);
	int sum = 0;
	for (struct dirent *entry; sum >= 0 && (entry = readdir(entries));) {
		if (!is_cgroup_below(entry)) continue;
		AUTO_CLOSE int below = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		int found = below >= 0 ? walk_below(below, each, order) : errno == ENOENT ? 0 : -errno;
		sum = found < 0 ? found : sum + found;
	}
	closedir(entries);
	int own = sum < 0 ? sum : each(folder, order);
	return own < 0 ? own : sum + own;
}

static void meet(struct met *met, pid_t pid)
{
	for (size_t i = 0; i < met->count; i++)
		if (met->pids[i] == pid) return;
	met->news = true;
	if (met->count < MET_MAX) met->pids[met->count++] = pid;
}

/* How many processes are in this one group; each gets the signal. */
static int signal_members(int folder, const struct order *order)
{
	char text[4096];
	AUTO_CLOSE int fd = openat(folder, "cgroup.procs", O_RDONLY | O_CLOEXEC);
	if (fd < 0) return errno == ENOENT ? 0 : -errno;
	int count = 0;
	long pid = 0;
	for (ssize_t n; (n = read(fd, text, sizeof text)) != 0;) {
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) return errno == ENODEV ? count : errno == EOPNOTSUPP ? count : -errno;
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') {
				pid = pid * 10 + (text[i] - '0');
				continue;
			}
			if (pid > 0) {
				meet(order->met, (pid_t)pid);
				kill((pid_t)pid, order->signal);
			}
			count++;
			pid = 0;
		}
	}
	return count;
}

static int count_members(int folder, const struct order *order)
{
	(void)order;
	char text[256];
	ssize_t n = read_file_at(folder, "cgroup.procs", text, sizeof text);
	if (n == -ENOENT || n == -ENODEV || n == -EOPNOTSUPP) return 0;
	return n < 0 ? (int)n : n > 0;
}

static int thaw(int folder, const struct order *order)
{
	(void)order;
	write_file_at(folder, "freezer.state", "THAWED", 6);
	return 0;
}

/* v1: a frozen process, whoever froze it, dies only when it is thawed. (One that v2 froze dies at once.) */
static int kill_and_thaw(int folder, bool freeze, struct met *met)
{
	if (freeze) write_file_at(folder, "freezer.state", "FROZEN", 6);
	int found = walk_below(folder, signal_members, &(struct order){SIGKILL, met});
	if (found != 0) walk_below(folder, thaw, NULL);
	return found;
}

int cgroup_signal(int folder, bool v2, int signal, bool freeze, struct met *met)
{
	met->news = false;
	if (signal != SIGKILL) return walk_below(folder, signal_members, &(struct order){signal, met});
	/* cgroup.kill (v2, Linux 5.14) also gets processes that fork meanwhile, at once. */
	if (v2 && write_file_at(folder, "cgroup.kill", "1", 1) == 0) return walk_below(folder, count_members, NULL);
	return kill_and_thaw(folder, freeze, met);
}

int op_cgroup_kill_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(cgroup_kill, arguments);
	AUTO_CLOSE int folder = open(arguments.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 && errno == ENOENT) return 0;
	if (folder < 0) return fail(failure, errno, "cannot open the cgroup %s", arguments.path);
	struct met met = {0};
	uint64_t deadline = monotonic_ns() + (uint64_t)arguments.timeout_ms * 1000000u;
	for (long pause = 100;; pause = pause < 5000 ? pause * 2 : 5000) {
		/* Freezing patches the kernel's code on every processor: not for what dies at the first signals. */
		int left = cgroup_signal(folder, arguments.v2, SIGKILL, pause >= 1600, &met);
		if (left == 0) return 0;
		if (left < 0) return fail(failure, -left, "cannot read the processes of the cgroup %s", arguments.path);
		if (plan->at_once || monotonic_ns() >= deadline)
			return fail(failure, ETIMEDOUT, "processes of the cgroup %s are still there %u ms after SIGKILL", arguments.path,
				    arguments.timeout_ms);
		sleep_us(pause);
	}
}
