/* Signals to more than one process, and the exit record. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include "cgroup.h"
#include "shim_state.h"

/* A v1 group has no way to be killed at once: processes that fork meanwhile are met in a later round. */
#define ROUNDS 8
#define MAX_PROCESSES 4096

struct found {
	pid_t pid, parent, group, session;
	bool doomed;
};

/* Every process of a cgroup and below. Answers how many; at most `room`. */
static size_t list_processes(const char *path, pid_t *pids, size_t room)
{
	char text[4096], below[4096];
	size_t count = 0;
	snprintf(below, sizeof below, "%s/cgroup.procs", path);
	AUTO_CLOSE int procs = open(below, O_RDONLY | O_CLOEXEC);
	pid_t pid = 0;
	for (ssize_t n; procs >= 0 && (n = read(procs, text, sizeof text)) > 0;)
		for (ssize_t i = 0; i < n; i++) {
			if (text[i] >= '0' && text[i] <= '9') pid = pid * 10 + (text[i] - '0');
			else if (pid > 0 && count < room) pids[count++] = pid;
			if (text[i] == '\n') pid = 0;
		}
	DIR *folder = opendir(path);
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		if (!is_cgroup_below(entry)) continue;
		if (snprintf(below, sizeof below, "%s/%s", path, entry->d_name) < (int)sizeof below)
			count += list_processes(below, pids + count, room - count);
	}
	if (folder) closedir(folder);
	return count;
}

int kill_all(const struct container *container, int signal)
{
	AUTO_CLOSE int folder = open(container->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0) return errno == ENOENT ? 0 : -errno;
	struct met met = {0};
	int found = cgroup_signal(folder, container->cgroup_v2, signal, false, &met);
	/* What is being killed cannot fork any more, so that it pays to look again only while there are new ones. A child that
	 * was just being made may be missed: the teardown plan kills again. */
	for (int round = 2; found > 0 && met.news && signal == SIGKILL && round <= ROUNDS; round++)
		found = cgroup_signal(folder, container->cgroup_v2, signal, round == ROUNDS, &met);
	return found < 0 ? found : 0;
}

static bool read_relations(struct found *found)
{
	char path[32], text[512];
	int parent, group, session;
	snprintf(path, sizeof path, "/proc/%d/stat", found->pid);
	if (read_file_at(AT_FDCWD, path, text, sizeof text) <= 0) return false;
	const char *after_name = strrchr(text, ')');
	if (!after_name || sscanf(after_name + 1, " %*c %d %d %d", &parent, &group, &session) != 3) return false;
	found->parent = parent;
	found->group = group;
	found->session = session;
	return true;
}

static bool is_doomed(const struct found *all, size_t count, const struct found *one, pid_t root)
{
	if (one->pid == root || one->session == root || one->group == root) return true;
	for (size_t i = 0; i < count; i++)
		if (all[i].doomed && all[i].pid == one->parent) return true;
	return false;
}

/* Ancestry is only readable while the ancestors live: all are found before the first is killed. */
static void kill_descendants(const char *cgroup, pid_t root)
{
	AUTO_FREE pid_t *pids = calloc(MAX_PROCESSES, sizeof *pids);
	size_t count = pids ? list_processes(cgroup, pids, MAX_PROCESSES) : 0, known = 0;
	AUTO_FREE struct found *all = calloc(count + 1, sizeof *all);
	for (size_t i = 0; all && i < count; i++) {
		all[known] = (struct found){.pid = pids[i]};
		known += read_relations(&all[known]);
	}
	for (bool more = true; more;) {
		more = false;
		for (size_t i = 0; i < known; i++)
			if (!all[i].doomed && is_doomed(all, known, &all[i], root)) all[i].doomed = more = true;
	}
	for (size_t i = 0; i < known; i++)
		if (all[i].doomed) kill(all[i].pid, SIGKILL);
}

void kill_tree(const char *cgroup, pid_t pid)
{
	if (pid <= 0) return;
	if (cgroup) kill_descendants(cgroup, pid);
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL);
}

int write_exit_record(const struct container *container)
{
	char text[160];
	int length = snprintf(text, sizeof text, "pid=%d\nexit_code=%d\nsignal=%d\nexited_at_ns=%llu\n", container->task.pid,
			      exit_code_of(container->task.status), signal_of(container->task.status),
			      (unsigned long long)container->task.exited_at_ns);
	if (*container->folder == 0) return 0;
	AUTO_CLOSE int folder = open(container->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0) return -errno;
	AUTO_CLOSE int file = openat(folder, "exit.new", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int result = file < 0 ? -errno : write_all(file, text, (size_t)length);
	if (result == 0 && renameat(folder, "exit.new", folder, "exit") < 0) result = -errno;
	if (result < 0 && file >= 0) unlinkat(folder, "exit.new", 0);
	return result;
}
