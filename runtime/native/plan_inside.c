/* init: becomes the container, step by step. */
#include <errno.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include "plan_internal.h"

static int hooks_inside(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(hooks, arguments);
	switch (arguments.phase) {
	case HOOK_PRESTART:
	case HOOK_CREATE_RUNTIME: return ask_creator(plan, NULL, failure);
	case HOOK_CREATE_CONTAINER:
	case HOOK_START_CONTAINER: return run_hooks(plan, op, getpid(), false, failure);
	default: return 0; /* poststart: the shim, after the exec */
	}
}

/* CVE-2024-21626: from a folder of the host the path /proc/self/fd/N/.. leads to the host's files. execve(2) resolves the
 * program's path, and that of its interpreter, before what is marked to be closed by it is closed; an image may name both. */
void close_host_side(struct plan *plan)
{
	const int keep[] = {plan->link, plan->leash}; /* sockets lead nowhere */
	close_all_but(keep, LENGTH(keep));
	plan->proc = plan->root = plan->null_mount = plan->empty_mount = plan->map_namespace = -1;
}

static int wait_start(struct plan *plan, struct failure *failure)
{
	struct link_message message = {.kind = LINK_CREATED};
	/* Plain write and read: a seccomp filter may be on already. */
	if (write(plan->link, &message, sizeof message) < 0) return fail(failure, errno, "the host's side is gone");
	close_at(&plan->link);
	if (!plan->filtered) close_host_side(plan);
	char go = 0;
	ssize_t n;
	do n = read(plan->leash, &go, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1 || go != LEASH_GO) _exit(1); /* the shim is gone: nobody will ever start us */
	return 0;
}

int run_inside_op(struct plan *plan, const struct op *op, struct failure *failure)
{
	switch (op->code) {
	case OP_PIN_NAMESPACE: return ask_creator(plan, NULL, failure);
	case OP_HOOKS: return hooks_inside(plan, op, failure);
	case OP_SESSION_KEYRING: return op_session_keyring_run(plan, op, failure);
	case OP_PROPAGATION: return op_propagation_run(plan, op, failure);
	case OP_ROOT_OVERLAY: return op_root_overlay_run(plan, op, failure);
	case OP_ROOT_BIND: return op_root_bind_run(plan, op, failure);
	case OP_ROOT_IDMAP: return op_root_idmap_run(plan, op, failure);
	case OP_MOUNT_FS: return op_mount_fs_run(plan, op, failure);
	case OP_MOUNT_BIND: return op_mount_bind_run(plan, op, failure);
	case OP_MOUNT_IMAGE: return op_mount_image_run(plan, op, failure);
	case OP_MAKE_FOLDER_IN: return op_make_folder_in_run(plan, op, failure);
	case OP_MAKE_SYMLINK: return op_make_symlink_run(plan, op, failure);
	case OP_MAKE_DEVICE: return op_make_device_run(plan, op, failure);
	case OP_MASK_PATH: return op_mask_path_run(plan, op, failure);
	case OP_READONLY_PATH: return op_readonly_path_run(plan, op, failure);
	case OP_PIVOT: return op_pivot_run(plan, op, failure);
	case OP_ROOT_READONLY: return op_root_readonly_run(plan, op, failure);
	case OP_ROOT_PROPAGATION: return op_root_propagation_run(plan, op, failure);
	case OP_HOSTNAME: return op_hostname_run(plan, op, failure);
	case OP_SYSCTL: return op_sysctl_run(plan, op, failure);
	case OP_RLIMIT: return op_rlimit_run(plan, op, failure);
	case OP_TERMINAL: return op_terminal_run(plan, op, failure);
	case OP_WAIT_START: return wait_start(plan, failure);
	case OP_LABELS: return op_labels_run(plan, op, failure);
	case OP_USER: return op_user_run(plan, op, failure);
	case OP_CAPABILITIES: return op_capabilities_run(plan, op, failure);
	case OP_NO_NEW_PRIVILEGES: return op_no_new_privileges_run(plan, op, failure);
	case OP_SECCOMP: return op_seccomp_run(plan, op, failure);
	case OP_WORKING_FOLDER: return op_working_folder_run(plan, op, failure);
	case OP_PERSONALITY: return op_personality_run(plan, op, failure);
	case OP_IO_PRIORITY: return op_io_priority_run(plan, op, failure);
	case OP_SCHEDULER: return op_scheduler_run(plan, op, failure);
	case OP_EXEC: return op_exec_run(plan, op, failure);
	case OP_RESTORE: return op_restore_run(plan, op, failure);
	case OP_UNSHARE: return op_unshare_run(plan, op, failure);
	default: return fail(failure, EINVAL, "operation %u cannot be carried out in the container", op->code);
	}
}

static void reset_signals(void)
{
	sigset_t none;
	for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int become_root_of_namespace(struct failure *failure)
{
	/* Groups of the host mean nothing here; where setgroups is denied they stay. */
	if (setgroups(0, NULL) < 0 && errno != EPERM) return fail(failure, errno, "cannot drop the host's groups");
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) return fail(failure, errno, "cannot become root of the user namespace (is id 0 mapped?)");
	prctl(PR_SET_DUMPABLE, 0);
	return 0;
}

static int prepare(struct plan *plan, const struct op_spawn *spawn, uint32_t joins_left, struct failure *failure)
{
	struct link_message message;
	if (link_wait(plan->link, LINK_GO, &message, NULL) < 0) _exit(1);
	/* A stage has done it before us, and left none to enter. */
	int result = enter_v1_cgroups(plan, &spawn->cgroups, failure);
	if (result == 0) result = join_namespaces(plan, &spawn->joins, ~joins_left, failure);
	if (result < 0) return result;
	if (plan->network_ahead && setns(plan->world.network, CLONE_NEWNET) < 0) return fail(failure, errno, "cannot join the network namespace made ahead");
	const int keep[] = {plan->link, plan->leash, plan->proc};
	close_all_but(keep, LENGTH(keep));
	if (plan->user_namespace && (result = become_root_of_namespace(failure)) < 0) return result;
	if ((spawn->new_namespaces & CLONE_NEWCGROUP) && unshare(CLONE_NEWCGROUP) < 0)
		return fail(failure, errno, "cannot make a cgroup namespace");
	return 0;
}

void init_main(struct plan *plan, const struct op_spawn *spawn, uint32_t joins_left, uint32_t first_step)
{
	struct failure failure = {0};
	struct op op;
	uint32_t spawn_step = plan->step;
	prctl(PR_SET_PDEATHSIG, SIGKILL); /* until the exec: nobody could start what the shim leaves behind */
	prctl(PR_SET_DUMPABLE, 0);
	reset_signals();
	setsid();
	umask(0);
	plan->init_pidfd = plan->mount_namespace = -1;
	if (prepare(plan, spawn, joins_left, &failure) < 0) {
		report_failure(plan->report, spawn_step, OP_SPAWN, &failure);
		_exit(1);
	}
	for (uint32_t index = 0; plan_next(&plan->ops.items, &op); index++)
		if (index >= first_step && plan_step(plan, index, &op, run_inside_op) < 0) break;
	if (!plan->report->failed) {
		fail(&failure, EINVAL, "the plan ends without an exec");
		report_failure(plan->report, NO_STEP, 0, &failure);
	}
	_exit(plan->report->failure.err == ENOENT ? 127 : 126);
}
