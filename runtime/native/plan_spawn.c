/* `spawn`: makes init, directly or by way of a stage, and brings it into its cgroups and id maps. */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include "plan_internal.h"

/* CLONE_PARENT: the new process is a child of the shim from its first moment, which so reaps it whatever happens to us. */
static pid_t clone_sibling(uint64_t flags, int32_t *pid, int *pidfd, int cgroup)
{
	struct clone_args arguments = {
		.flags = flags | CLONE_PARENT | CLONE_PARENT_SETTID | CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.parent_tid = (uintptr_t)pid,
		.pidfd = (uintptr_t)pidfd,
		.cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
	};
	return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

/* v2: joined at birth. -1: there is none. */
static int open_v2_cgroup(const struct list *cgroups, int *fd, struct failure *failure)
{
	struct reader items = cgroups->items;
	struct cgroup cgroup;
	*fd = -1;
	for (uint32_t i = 0; i < cgroups->count && cgroup_decode(&items, &cgroup); i++) {
		if (!cgroup.v2) continue;
		*fd = open(cgroup.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		return *fd < 0 ? fail(failure, errno, "cannot join the cgroup %s", cgroup.path) : 0;
	}
	return 0;
}

/* v1: the process moves itself, by the file `tasks`. For that alone the kernel takes no lock of the whole machine, which
 * a write of a pid to cgroup.procs waits some ten milliseconds for. */
static int open_v1_cgroups(struct plan *plan, const struct list *cgroups, struct failure *failure)
{
	struct reader items = cgroups->items;
	char path[4096];
	plan->v1_cgroups = calloc((size_t)cgroups->count + 1, sizeof *plan->v1_cgroups);
	if (!plan->v1_cgroups) return fail(failure, ENOMEM, "no memory for %u cgroups", cgroups->count);
	for (uint32_t i = 0; i < cgroups->count; i++) {
		struct cgroup cgroup;
		if (!cgroup_decode(&items, &cgroup)) return fail(failure, EPROTO, "cgroup %u cannot be read", i);
		if (cgroup.v2) continue;
		snprintf(path, sizeof path, "%s/tasks", cgroup.path);
		int fd = open(path, O_WRONLY | O_CLOEXEC);
		if (fd < 0) return fail(failure, errno, "cannot join the cgroup %s", cgroup.path);
		plan->v1_cgroups[plan->v1_cgroup_count++] = fd;
	}
	return 0;
}

static void close_v1_cgroups(struct plan *plan)
{
	for (size_t i = 0; i < plan->v1_cgroup_count; i++) close(plan->v1_cgroups[i]);
	plan->v1_cgroup_count = 0;
	free(plan->v1_cgroups);
	plan->v1_cgroups = NULL;
}

/* In the process that is to be a member. */
int enter_v1_cgroups(struct plan *plan, const struct list *cgroups, struct failure *failure)
{
	struct reader items = cgroups->items;
	struct cgroup cgroup;
	size_t at = 0;
	for (uint32_t i = 0; i < cgroups->count && cgroup_decode(&items, &cgroup); i++)
		if (!cgroup.v2 && at < plan->v1_cgroup_count && write(plan->v1_cgroups[at++], "0", 1) < 0)
			return fail(failure, errno, "cannot join the cgroup %s", cgroup.path);
	close_v1_cgroups(plan);
	return 0;
}

/* A user namespace takes away the rights over what the host's owns: then all joining must happen before init is made. */
static bool needs_stage(const struct op_spawn *arguments)
{
	uint32_t joined = joined_types(&arguments->joins);
	return (joined & CLONE_NEWUSER) || ((arguments->new_namespaces & CLONE_NEWUSER) && joined);
}

/* cgroup namespaces show the groups that one is in when they are made: unshared later, by init, which also joins what
 * was made ahead. */
static uint64_t birth_flags(const struct plan *plan, const struct op_spawn *arguments)
{
	uint64_t later = CLONE_NEWCGROUP | (plan->network_ahead ? CLONE_NEWNET : 0);
	return arguments->new_namespaces & ~later;
}

static _Noreturn void stage_main(struct plan *plan, const struct op_spawn *arguments)
{
	struct failure failure = {0};
	struct link_message message;
	int pidfd;
	prctl(PR_SET_DUMPABLE, 0);
	if (link_wait(plan->link, LINK_GO, &message, NULL) < 0) _exit(1);
	int result = enter_v1_cgroups(plan, &arguments->cgroups, &failure);
	if (result == 0) result = join_namespaces(plan, &arguments->joins, 0, &failure);
	if (result == 0) {
		pid_t pid = clone_sibling(birth_flags(plan, arguments), &plan->report->init_pid, &pidfd, -1);
		if (pid == 0) init_main(plan, arguments, 0, plan->step + 1);
		if (pid > 0 && link_send(plan->link, LINK_STAGED, 0, 0, pidfd) == 0) _exit(0);
		fail(&failure, errno, "cannot make the container's process");
	}
	report_failure(plan->report, plan->step, OP_SPAWN, &failure);
	_exit(1);
}

/* The creator's end goes, or its death would not be seen. */
static void take_end(struct plan *plan, int end)
{
	close_at(&plan->link);
	plan->link = end;
}

static int spawn_staged(struct plan *plan, const struct op_spawn *arguments, int cgroup, int other_end, struct failure *failure)
{
	int32_t stage_pid = 0;
	AUTO_CLOSE int stage = -1;
	pid_t pid = clone_sibling(0, &stage_pid, &stage, cgroup);
	if (pid == 0) {
		take_end(plan, other_end);
		stage_main(plan, arguments);
	}
	if (pid < 0) return fail(failure, errno, "cannot fork into the cgroup");
	struct link_message message;
	int result = link_send(plan->link, LINK_GO, 0, 0, -1);
	close(other_end);
	if (result == 0) result = link_wait(plan->link, LINK_STAGED, &message, &plan->init_pidfd);
	if (result < 0) syscall(SYS_pidfd_send_signal, stage, SIGKILL, NULL, 0);
	return result < 0 ? fail(failure, plan->report->failed ? plan->report->failure.err : -result, "the joining process ended") : 0;
}

static int spawn_directly(struct plan *plan, const struct op_spawn *arguments, int cgroup, int other_end, struct failure *failure)
{
	uint32_t joined = joined_types(&arguments->joins);
	AUTO_CLOSE int own_pids = -1;
	if (joined & CLONE_NEWPID) {
		own_pids = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
		if (own_pids < 0) return fail(failure, errno, "cannot open /proc/self/ns/pid");
		int result = join_namespaces(plan, &arguments->joins, ~(uint32_t)CLONE_NEWPID, failure);
		if (result < 0) return result;
	}
	pid_t pid = clone_sibling(birth_flags(plan, arguments), &plan->report->init_pid, &plan->init_pidfd, cgroup);
	int err = errno;
	if (pid == 0) {
		take_end(plan, other_end);
		init_main(plan, arguments, ~(uint32_t)CLONE_NEWPID, plan->step + 1);
	}
	close(other_end);
	/* Hooks that the creator runs later belong to the host's pid namespace. */
	if (own_pids >= 0 && setns(own_pids, CLONE_NEWPID) < 0 && pid > 0) return fail(failure, errno, "cannot return to the host's pid namespace");
	return pid < 0 ? fail(failure, err, "cannot make the container's process (new namespaces 0x%x)", arguments->new_namespaces) : 0;
}

/* Lowering it is a privilege that the node may not give: then the process keeps what it inherited. */
static int set_oom_score(pid_t pid, int32_t score, struct failure *failure)
{
	char path[48], text[16];
	snprintf(path, sizeof path, "/proc/%d/oom_score_adj", pid);
	int length = snprintf(text, sizeof text, "%d", score < -1000 ? -1000 : score > 1000 ? 1000 : score);
	int result = write_file_at(AT_FDCWD, path, text, (size_t)length);
	if (result == 0 || result == -EACCES || result == -EPERM) return 0;
	return fail(failure, -result, "cannot set the OOM score adjustment to %d", score);
}

int spawn(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(spawn, arguments);
	int pair[2];
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return fail(failure, errno, "cannot make a socket pair");
	plan->link = pair[0];
	plan->user_namespace = (arguments.new_namespaces | joined_types(&arguments.joins)) & CLONE_NEWUSER;
	plan->network_ahead = plan->world.network >= 0 && (arguments.new_namespaces & CLONE_NEWNET) && !plan->user_namespace;
	AUTO_CLOSE int cgroup = -1;
	int result = open_v2_cgroup(&arguments.cgroups, &cgroup, failure);
	if (result == 0) result = open_v1_cgroups(plan, &arguments.cgroups, failure);
	if (result == 0) {
		result = needs_stage(&arguments) ? spawn_staged(plan, &arguments, cgroup, pair[1], failure)
						 : spawn_directly(plan, &arguments, cgroup, pair[1], failure);
	}
	close_v1_cgroups(plan);
	if (result == 0) result = write_id_maps(plan->report->init_pid, &arguments.uid_map, &arguments.gid_map, failure);
	if (result == 0 && arguments.set_oom_score_adj) result = set_oom_score(plan->report->init_pid, arguments.oom_score_adj, failure);
	if (result == 0) result = link_send(plan->link, LINK_GO, 0, 0, -1);
	return result < 0 ? fail(failure, -result, "the container's process ended early") : 0;
}
