/* cgroup folders, for plans and for the launcher itself. */
#pragma once
#include <dirent.h>
#include "util.h"

/* mkdir -p of a cgroup folder; processors and memory nodes of a v1 cpuset are inherited. EINVAL when it would not
 * lie in a cgroup hierarchy. */
int cgroup_make(const char *path, struct failure *failure);

/* Whether what readdir(3) found is a cgroup below. */
bool is_cgroup_below(const struct dirent *entry);
