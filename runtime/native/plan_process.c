/* Properties of the process and of its namespaces that are not its identity. */
#include <errno.h>
#include <linux/keyctl.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include "plan_internal.h"

int op_hostname_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(hostname, arguments);
	if (*arguments.hostname && sethostname(arguments.hostname, strlen(arguments.hostname)) < 0)
		return fail(failure, errno, "cannot set the host name %.200s", arguments.hostname);
	if (*arguments.domain && setdomainname(arguments.domain, strlen(arguments.domain)) < 0)
		return fail(failure, errno, "cannot set the domain name %.200s", arguments.domain);
	return 0;
}

int op_sysctl_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(sysctl, arguments);
	struct statfs fs;
	char path[512];
	if (snprintf(path, sizeof path, "sys/%s", arguments.name) >= (int)sizeof path) return fail(failure, ENAMETOOLONG, "the sysctl's name is too long");
	AUTO_CLOSE int file = open_beneath(plan->proc, path, O_WRONLY, 0);
	if (file < 0) return fail(failure, -file, "cannot open the sysctl %s", arguments.name);
	if (fstatfs(file, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC) return fail(failure, EPERM, "the sysctl %s is not on procfs", arguments.name);
	if (write(file, arguments.value, strlen(arguments.value)) < 0)
		return fail(failure, errno, "cannot set the sysctl %s to \"%.100s\"", arguments.name, arguments.value);
	return 0;
}

int op_rlimit_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(rlimit, arguments);
	struct rlimit wanted = {arguments.soft, arguments.hard}, now;
	if (setrlimit(arguments.resource, &wanted) == 0) return 0;
	if (errno != EPERM) return fail(failure, errno, "cannot set resource limit %u", arguments.resource);
	/* Raising a hard limit takes CAP_SYS_RESOURCE, which the node itself may lack. */
	if (getrlimit(arguments.resource, &now) < 0) return fail(failure, errno, "cannot read resource limit %u", arguments.resource);
	if (wanted.rlim_max > now.rlim_max) wanted.rlim_max = now.rlim_max;
	if (wanted.rlim_cur > wanted.rlim_max) wanted.rlim_cur = wanted.rlim_max;
	return setrlimit(arguments.resource, &wanted) < 0 ? fail(failure, errno, "cannot set resource limit %u", arguments.resource) : 0;
}

int op_session_keyring_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(session_keyring, arguments);
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, *arguments.name ? arguments.name : NULL) >= 0) return 0;
	/* EDQUOT: a node full of containers; a shared keyring is no reason to fail either. */
	return errno == ENOSYS || errno == EPERM || errno == EDQUOT ? 0 : fail(failure, errno, "cannot make a session keyring");
}

int op_personality_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(personality, arguments);
	return personality(arguments.persona) < 0 ? fail(failure, errno, "cannot set the personality") : 0;
}

int op_io_priority_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(io_priority, arguments);
	const int who_process = 1;
	return syscall(SYS_ioprio_set, who_process, 0, arguments.value) < 0 ? fail(failure, errno, "cannot set the I/O priority") : 0;
}

/* struct sched_attr of linux/sched/types.h, which no libc lets one include beside <sched.h>. */
struct scheduling {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period;
};

int op_scheduler_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(scheduler, arguments);
	struct scheduling attributes = {
		.size = sizeof attributes,
		.policy = arguments.policy,
		.flags = arguments.flags,
		.nice = arguments.nice,
		.priority = arguments.priority,
		.runtime = arguments.runtime,
		.deadline = arguments.deadline,
		.period = arguments.period,
	};
	return syscall(SYS_sched_setattr, 0, &attributes, 0) < 0 ? fail(failure, errno, "cannot set the scheduling policy %u", arguments.policy) : 0;
}

int op_unshare_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(unshare, arguments);
	return unshare((int)arguments.flags) < 0 ? fail(failure, errno, "cannot make the namespaces 0x%x", arguments.flags) : 0;
}
