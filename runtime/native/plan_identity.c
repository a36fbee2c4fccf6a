/* Who the process is and what it may do: labels, user, capabilities, no-new-privileges, seccomp. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/magic.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include "plan_internal.h"

/* On the host's procfs, seen through a descriptor from before any mount: the image cannot put a file of its own there. */
static int write_exec_attribute(struct plan *plan, const char *path, const char *value)
{
	struct statfs fs;
	AUTO_CLOSE int file = openat(plan->proc, path, O_WRONLY | O_CLOEXEC);
	if (file < 0) return -errno;
	if (fstatfs(file, &fs) < 0 || fs.f_type != PROC_SUPER_MAGIC) return -EPERM;
	return write(file, value, strlen(value)) < 0 ? -errno : 0;
}

int op_labels_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(labels, arguments);
	char value[1024];
	if (*arguments.apparmor) {
		snprintf(value, sizeof value, "exec %s", arguments.apparmor);
		int result = write_exec_attribute(plan, "self/attr/apparmor/exec", value);
		if (result == -ENOENT) result = write_exec_attribute(plan, "self/attr/exec", value);
		if (result == -EINVAL) return fail(failure, EINVAL, "this kernel runs without AppArmor; the profile %.200s cannot be applied", arguments.apparmor);
		if (result < 0) return fail(failure, -result, "cannot apply the AppArmor profile %.200s (is it loaded?)", arguments.apparmor);
	}
	if (*arguments.selinux) {
		int result = write_exec_attribute(plan, "self/attr/exec", arguments.selinux);
		if (result < 0) return fail(failure, -result, "cannot apply the SELinux label %.200s (is SELinux on?)", arguments.selinux);
	}
	return 0;
}

/* So that /dev/stdout and its like can be opened again by an ordinary user. */
static void give_streams(uid_t uid)
{
	struct stat status;
	for (int stream = 0; stream < 3; stream++)
		if (fstat(stream, &status) == 0 && status.st_uid != uid && status.st_rdev != makedev(1, 3))
			(void)!fchown(stream, uid, (gid_t)-1);
}

static int set_groups(const struct list *groups, struct failure *failure)
{
	AUTO_FREE gid_t *ids = calloc((size_t)groups->count + 1, sizeof *ids);
	struct reader items = groups->items;
	if (!ids) return fail(failure, ENOMEM, "no memory for %u groups", groups->count);
	for (uint32_t i = 0; i < groups->count; i++)
		if (!get_u32(&items, &ids[i])) return fail(failure, EPROTO, "group %u cannot be read", i);
	if (setgroups(groups->count, ids) == 0) return 0;
	/* A user namespace may deny it altogether; without groups to set that does no harm. */
	return errno == EPERM && groups->count == 0 ? 0 : fail(failure, errno, "cannot set %u supplementary groups", groups->count);
}

/* Changing the uid empties the effective set; the permitted one was kept for us. */
static int raise_permitted(struct failure *failure)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	if (syscall(SYS_capget, &header, data) < 0) return fail(failure, errno, "cannot read the capabilities");
	for (int i = 0; i < 2; i++) data[i].effective = data[i].permitted;
	return syscall(SYS_capset, &header, data) < 0 ? fail(failure, errno, "cannot keep the capabilities") : 0;
}

int op_user_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(user, arguments);
	/* setresuid(2) takes it as "as it is", which is root. */
	if (arguments.uid == (uid_t)-1 || arguments.gid == (gid_t)-1) return fail(failure, EINVAL, "4294967295 is no id");
	give_streams(arguments.uid);
	int result = set_groups(&arguments.groups, failure);
	if (result < 0) return result;
	if (prctl(PR_SET_KEEPCAPS, 1) < 0) return fail(failure, errno, "cannot keep the capabilities");
	if (setresgid(arguments.gid, arguments.gid, arguments.gid) < 0) return fail(failure, errno, "cannot become group %u", arguments.gid);
	if (setresuid(arguments.uid, arguments.uid, arguments.uid) < 0) return fail(failure, errno, "cannot become user %u", arguments.uid);
	prctl(PR_SET_DUMPABLE, 0); /* the kernel resets it with every change of identity */
	prctl(PR_SET_KEEPCAPS, 0);
	umask(arguments.umask == 0xffffffff ? 022 : (mode_t)arguments.umask & 0777);
	plan->umask_set = true;
	return raise_permitted(failure);
}

static uint64_t joined(uint32_t low, uint32_t high) { return (uint64_t)high << 32 | low; }

int op_capabilities_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(capabilities, arguments);
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (!(arguments.bounding >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) < 0)
			return fail(failure, errno, "cannot drop capability %d from the bounding set", cap);
	if (syscall(SYS_capget, &header, data) < 0) return fail(failure, errno, "cannot read the capabilities");
	uint64_t has = joined(data[0].permitted, data[1].permitted);
	uint64_t permitted = arguments.permitted & has, effective = arguments.effective & permitted, inheritable = arguments.inheritable & has;
	for (int i = 0; i < 2; i++) {
		data[i].permitted = (uint32_t)(permitted >> 32 * i);
		data[i].effective = (uint32_t)(effective >> 32 * i);
		data[i].inheritable = (uint32_t)(inheritable >> 32 * i);
	}
	if (syscall(SYS_capset, &header, data) < 0) return fail(failure, errno, "cannot set the capabilities");
	/* EINVAL: the kernel has no ambient set (before 4.3), or does not know this one. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL) return fail(failure, errno, "cannot clear the ambient set");
	for (int cap = 0; cap < 64; cap++)
		if ((arguments.ambient & permitted & inheritable) >> cap & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0) < 0)
			return fail(failure, errno, "cannot raise the ambient capability %d", cap);
	return 0;
}

int op_no_new_privileges_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	(void)op;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? fail(failure, errno, "cannot set no-new-privileges") : 0;
}

/* Whether the program is still to be asked for. */
static bool waits_later(const struct plan *plan)
{
	struct reader ops = plan->ops.items;
	struct op op;
	for (uint32_t index = 0; plan_next(&ops, &op); index++)
		if (index > plan->step && op.code == OP_WAIT_START) return true;
	return false;
}

int op_seccomp_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(seccomp, arguments);
	uint32_t count = arguments.program.size / sizeof(struct sock_filter);
	/* The bytes of a frame are aligned for nobody. */
	AUTO_FREE struct sock_filter *filter = malloc(arguments.program.size + 1);
	if (!filter) return fail(failure, ENOMEM, "no memory for the seccomp filter");
	if (arguments.program.size) memcpy(filter, arguments.program.data, arguments.program.size);
	struct sock_fprog program = {(unsigned short)count, filter};
	if (count == 0 || count > BPF_MAXINSNS) return fail(failure, EINVAL, "a seccomp filter of %u instructions", count);
	/* What is called after this, the filter may refuse. */
	close_host_side(plan);
	if (!waits_later(plan)) prctl(PR_SET_PDEATHSIG, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, arguments.flags, &program) < 0)
		return fail(failure, errno, "cannot install the seccomp filter (%u instructions)", count);
	plan->filtered = true;
	return 0;
}
