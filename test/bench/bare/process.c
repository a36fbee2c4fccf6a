/* Processes: born into namespaces and cgroups, what they become, and their end. */
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "bare.h"

static pid_t clone_into(uint64_t flags, int *pidfd, int cgroup)
{
	struct clone_args arguments = {
		.flags = flags | CLONE_PIDFD | (cgroup >= 0 ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uintptr_t)pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = cgroup >= 0 ? (uint64_t)cgroup : 0,
	};
	return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

/* The other end is closed by the exec, or says that there will be none. */
static int await_exec(int pipe)
{
	char failed;
	ssize_t n;
	do n = read(pipe, &failed, 1);
	while (n < 0 && errno == EINTR);
	return n == 0 ? 0 : -ECANCELED;
}

int process_make(struct bare *bare, struct pod *pod, const struct birth *birth, struct process *process)
{
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) < 0) return complain("make", "a pipe");
	process->pid = clone_into(birth->namespaces, &process->pidfd, birth->membership->v2);
	if (process->pid == 0) {
		close(ends[0]);
		birth->become(bare, pod, birth->membership);
		(void)!write(ends[1], "", 1);
		_exit(1);
	}
	close(ends[1]);
	int result = process->pid < 0 ? complain("make", "a process") : await_exec(ends[0]);
	lap(bare->laps, birth->exec);
	close(ends[0]);
	return result;
}

int process_end(struct process *process)
{
	siginfo_t info = {0};
	if (process->pidfd < 0) return 0;
	if (syscall(SYS_pidfd_send_signal, process->pidfd, SIGKILL, NULL, 0) < 0) return complain("kill", "a process");
	if (waitid(P_PID, (id_t)process->pid, &info, WEXITED) < 0) return complain("wait for", "a process");
	close_fd(&process->pidfd);
	if (info.si_code == CLD_KILLED && info.si_status == SIGKILL) return 0;
	errno = ECHILD;
	return complain("find alive", "the program of a container");
}

int process_begin(const struct bare *bare, struct membership *membership, int oom_score)
{
	char score[16];
	/* Stays set over the exec, so that nothing outlives the program. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	setsid();
	umask(0);
	snprintf(score, sizeof score, "%d", oom_score);
	int result = membership_enter(membership);
	if (result < 0) return result;
	/* Lowering it is a privilege that the machine may not give. */
	file_write(AT_FDCWD, "/proc/self/oom_score_adj", score);
	syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, bare->name);
	return mount("none", "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ? complain("set the propagation of", "/") : 0;
}

int become_root(void)
{
	if (setgroups(0, NULL) < 0 || prctl(PR_SET_KEEPCAPS, 1) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) return complain("become", "root");
	prctl(PR_SET_KEEPCAPS, 0);
	umask(022);
	return 0;
}

int capabilities_keep(uint64_t capabilities)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];
	for (int cap = 0; cap < 64 && prctl(PR_CAPBSET_READ, cap) >= 0; cap++)
		if (!(capabilities >> cap & 1) && prctl(PR_CAPBSET_DROP, cap) < 0) return complain("drop", "a capability");
	if (syscall(SYS_capget, &header, data) < 0) return complain("read", "the capabilities");
	for (int i = 0; i < 2; i++) {
		data[i].permitted &= (uint32_t)(capabilities >> 32 * i);
		data[i].effective = data[i].permitted;
		data[i].inheritable = 0;
	}
	if (syscall(SYS_capset, &header, data) < 0) return complain("set", "the capabilities");
	prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	return 0;
}

int streams_leave(const struct bare *bare)
{
	complain_to(fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3));
	for (int stream = 0; stream < 3; stream++)
		if (dup2(bare->null, stream) < 0) return complain("take away", "the streams");
	return 0;
}

int filter_install(const struct program *filter)
{
	struct sock_fprog program = {(unsigned short)(filter->size / sizeof(struct sock_filter)), filter->data};
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0 ? complain("install", "the seccomp filter") : 0;
}

int program_run(char *const argv[])
{
	char *const environment[] = {"PATH=/bin", NULL};
	execve(argv[0], argv, environment);
	return complain("execute", argv[0]);
}
