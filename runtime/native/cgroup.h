/* cgroup folders, for plans and for the launcher itself. */
#pragma once
#include <dirent.h>
#include "util.h"

/* mkdir -p of a cgroup folder; processors and memory nodes of a v1 cpuset are inherited. EINVAL when it would not
 * lie in a cgroup hierarchy. */
int cgroup_make(const char *path, struct failure *failure);

/* Whether what readdir(3) found is a cgroup below. */
bool is_cgroup_below(const struct dirent *entry);

#define MET_MAX 64

/* The processes that signals have been sent to. */
struct met {
	pid_t pids[MET_MAX];
	size_t count;
	bool news; /* the last call has met one that none had met before, or there was no room to remember it */
};

/* A signal to every process of an open cgroup folder and below. SIGKILL also ends frozen ones; of a v1 group, those
 * that fork meanwhile may need another call, and when they fork faster than they die, one with `freeze`. Answers how
 * many were found, or -errno. */
int cgroup_signal(int folder, bool v2, int signal, bool freeze, struct met *met);
