/* Joining namespaces, and the id maps of new user namespaces. */
#include <errno.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include "plan_internal.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

static const char *name_of(uint32_t type)
{
	switch (type) {
	case CLONE_NEWUSER: return "user";
	case CLONE_NEWNS: return "mount";
	case CLONE_NEWPID: return "pid";
	case CLONE_NEWIPC: return "ipc";
	case CLONE_NEWUTS: return "uts";
	case CLONE_NEWNET: return "network";
	case CLONE_NEWCGROUP: return "cgroup";
	case CLONE_NEWTIME: return "time";
	default: return "unknown";
	}
}

uint32_t joined_types(const struct list *joins)
{
	struct reader items = joins->items;
	struct ns_join join;
	uint32_t types = 0;
	for (uint32_t i = 0; i < joins->count && ns_join_decode(&items, &join); i++) types |= join.type;
	return types;
}

/* A pidfd names the process itself: were its number given to another one meanwhile, the answer is ESRCH. */
static int join_container(struct plan *plan, const struct ns_join *join, struct failure *failure)
{
	int pidfd = plan->world.pidfd_of(plan->world.context, join->of);
	if (pidfd < 0) return fail(failure, ESRCH, "cannot join the %s namespace of container %s, which is not here", name_of(join->type), join->of);
	if (setns(pidfd, (int)join->type) == 0) return 0;
	if (errno == ESRCH) return fail(failure, ESRCH, "cannot join the %s namespace of container %s, which has ended", name_of(join->type), join->of);
	return fail(failure, errno, "cannot join the %s namespace of container %s", name_of(join->type), join->of);
}

static int join_path(const struct ns_join *join, struct failure *failure)
{
	AUTO_CLOSE int fd = open(join->path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) return fail(failure, errno, "cannot open the %s namespace %s", name_of(join->type), join->path);
	int type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0) return fail(failure, EINVAL, "%s is not a namespace", join->path);
	if ((uint32_t)type != join->type)
		return fail(failure, EINVAL, "%s is a %s namespace, not a %s namespace", join->path, name_of((uint32_t)type), name_of(join->type));
	if (setns(fd, type) < 0) return fail(failure, errno, "cannot join the %s namespace %s", name_of(join->type), join->path);
	return 0;
}

static int join_pass(struct plan *plan, const struct list *joins, uint32_t only, uint32_t without, struct failure *failure)
{
	struct reader items = joins->items;
	for (uint32_t i = 0; i < joins->count; i++) {
		struct ns_join join;
		if (!ns_join_decode(&items, &join)) return fail(failure, EPROTO, "namespace %u to join cannot be read", i);
		if (!(join.type & only) || (join.type & without)) continue;
		int result = *join.of ? join_container(plan, &join, failure) : join_path(&join, failure);
		if (result < 0) return result;
	}
	return 0;
}

int join_namespaces(struct plan *plan, const struct list *joins, uint32_t without, struct failure *failure)
{
	/* The mount namespace after those that are named by a path of the host. */
	int result = join_pass(plan, joins, ~(uint32_t)(CLONE_NEWUSER | CLONE_NEWNS), without, failure);
	AUTO_CLOSE int user = -1;
	if (result == 0 && !(without & CLONE_NEWUSER)) {
		/* So may the user namespace be, but it must come last, for the host's rights end with it. */
		struct reader items = joins->items;
		struct ns_join join;
		for (uint32_t i = 0; i < joins->count && ns_join_decode(&items, &join); i++)
			if (join.type == CLONE_NEWUSER && !*join.of && (user = open(join.path, O_RDONLY | O_CLOEXEC)) < 0)
				return fail(failure, errno, "cannot open the user namespace %s", join.path);
	}
	if (result == 0) result = join_pass(plan, joins, CLONE_NEWNS, without, failure);
	if (result == 0 && user >= 0) return setns(user, CLONE_NEWUSER) < 0 ? fail(failure, errno, "cannot join the user namespace") : 0;
	return result < 0 ? result : join_pass(plan, joins, CLONE_NEWUSER, without, failure);
}

static int write_map(pid_t pid, const char *file, const struct list *maps, struct failure *failure)
{
	char path[48], text[4096];
	size_t length = 0;
	struct reader items = maps->items;
	for (uint32_t i = 0; i < maps->count; i++) {
		struct id_map map;
		if (!id_map_decode(&items, &map)) return fail(failure, EPROTO, "line %u of %s cannot be read", i, file);
		int n = snprintf(text + length, sizeof text - length, "%u %u %u\n", map.container_id, map.host_id, map.size);
		if (n >= (int)(sizeof text - length)) return fail(failure, E2BIG, "%s has too many lines", file);
		length += (size_t)n;
	}
	if (length == 0) return 0;
	snprintf(path, sizeof path, "/proc/%d/%s", pid, file);
	int result = write_file_at(AT_FDCWD, path, text, length);
	text[length - 1] = 0;
	return result < 0 ? fail(failure, -result, "cannot write %s \"%.200s\"", file, text) : 0;
}

int write_id_maps(pid_t pid, const struct list *uid_map, const struct list *gid_map, struct failure *failure)
{
	int result = write_map(pid, "uid_map", uid_map, failure);
	return result < 0 ? result : write_map(pid, "gid_map", gid_map, failure);
}
