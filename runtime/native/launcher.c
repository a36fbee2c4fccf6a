#include "launcher.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "job.h"

/* More running jobs than this, and the daemon's next request waits in its socket. */
#define JOBS_MAX 256
/* Answers that are longer than one read and are read at the same time; further ones wait in their sockets. Not one after
 * the other: a job may be stopped in the middle of its own. */
#define LONG_ANSWERS_MAX 4

struct job_slot {
	struct job_slot *next;
	struct conn conn; /* the child's answer comes here */
	pid_t pid;	  /* 0 once it is reaped */
	int wait_status;
	uint32_t request_id;
	uint16_t request;
	bool answered;
	bool is_long; /* its answer is longer than one read */
	struct launcher *launcher;
};

static const struct {
	uint16_t request;
	job_function carry_out;
} JOBS[] = {
	{MSG_RUN, job_run},
	{MSG_SECCOMP, job_seccomp},
	{MSG_NET_APPLY, job_net_apply},
	{MSG_FS_APPLY, job_fs_apply},
	{MSG_TREE_REMOVE, job_tree_remove},
	{MSG_TREE_USAGE, job_tree_usage},
	{MSG_SYNC_FS, job_sync_fs},
	{MSG_TEARDOWN, job_teardown},
};

void reset_signals(void)
{
	struct sigaction standard = {.sa_handler = SIG_DFL};
	for (int signal = 1; signal < NSIG; signal++) sigaction(signal, &standard, NULL);
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* ---- jobs */

/* The child keeps the standard streams and its answer's socket: neither the daemon's connection nor a lock. */
static _Noreturn void child_main(int answer_fd, job_function carry_out, const struct frame *frame)
{
	struct conn answer;
	struct reader body = frame->body;

	reset_signals();
	if (dup3(answer_fd, LAUNCHER_FD, O_CLOEXEC) < 0) _exit(1);
	syscall(SYS_close_range, LAUNCHER_FD + 1, ~0u, 0);
	conn_init(&answer, LAUNCHER_FD);
	carry_out(&body, &answer, frame->request_id);
	/* A write that is stopped and continued takes only a part (signal(7)); the rest waits in the queue. */
	while (conn_is_waiting(&answer) && conn_flush(&answer) > 0)
		;
	_exit(0);
}

static int start_job(struct launcher *launcher, job_function carry_out, const struct frame *frame)
{
	struct failure failure = {0};
	int sockets[2] = {-1, -1};
	struct job_slot *job = calloc(1, sizeof(*job));
	pid_t pid = -1;

	if (job && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) == 0 && set_nonblocking(sockets[0]) == 0)
		pid = fork();
	if (pid == 0)
		child_main(sockets[1], carry_out, frame);
	int err = job ? errno : ENOMEM;
	close_at(&sockets[1]);
	if (pid < 0) {
		close_at(&sockets[0]);
		free(job);
		fail(&failure, err, "cannot fork a process for the request");
		return conn_send_failure(&launcher->conn, frame->request_id, &failure);
	}
	*job = (struct job_slot){
		.pid = pid,
		.request_id = frame->request_id,
		.request = frame->type,
		.launcher = launcher,
	};
	conn_init(&job->conn, sockets[0]);
	struct job_slot **end = &launcher->jobs; /* who comes first is heard first */
	while (*end) end = &(*end)->next;
	*end = job;
	launcher->job_count++;
	return 0;
}

static int forward_answer(void *context, struct conn *conn, const struct frame *frame)
{
	struct job_slot *job = context;
	struct bytes payload = {frame->body.at, (uint32_t)(frame->body.end - frame->body.at)};
	(void)conn;
	if (job->answered) return -EPROTO;
	job->answered = true;
	return conn_send(&job->launcher->conn, frame->type, job->request_id, payload, (struct bytes){0});
}

static void receive_answer(struct job_slot *job)
{
	if (conn_receive(&job->conn, job->launcher->buffer, forward_answer, job) < 0)
		conn_close(&job->conn);
}

static void answer_for_the_dead(struct job_slot *job)
{
	struct failure failure = {0};
	if (WIFSIGNALED(job->wait_status))
		fail(&failure, EIO, "the process that carried out the request was ended by signal %d", WTERMSIG(job->wait_status));
	else
		fail(&failure, EIO, "the process that carried out the request ended without an answer");
	conn_send_failure(&job->launcher->conn, job->request_id, &failure);
}

static void forget_finished_jobs(struct launcher *launcher)
{
	for (struct job_slot **link = &launcher->jobs; *link;) {
		struct job_slot *job = *link;
		if (job->conn.fd >= 0 || job->pid != 0) {
			link = &job->next;
			continue;
		}
		if (!job->answered) answer_for_the_dead(job);
		*link = job->next;
		launcher->job_count--;
		free(job);
	}
}

/* Children are jobs and shims; a shim's end is seen by the daemon at its connection. */
static void reap_children(struct launcher *launcher)
{
	struct signalfd_siginfo told;
	int status;
	pid_t pid;

	while (read(launcher->children, &told, sizeof(told)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (struct job_slot *job = launcher->jobs; job; job = job->next)
			if (job->pid == pid) {
				job->pid = 0;
				job->wait_status = status;
			}
}

/* ---- requests */

static int answer_quick(struct launcher *launcher, uint32_t request_id, int result, const struct failure *failure)
{
	if (result < 0) return conn_send_failure(&launcher->conn, request_id, failure);
	return conn_send_ok(&launcher->conn, request_id);
}

static int start_shim(struct launcher *launcher, const struct frame *frame)
{
	struct reader body = frame->body;
	struct msg_start_shim request;
	struct failure failure = {0};

	if (!msg_start_shim_decode(&body, &request)) {
		job_bad_request(&launcher->conn, frame->request_id);
		return 0;
	}
	pid_t pid = launcher_start_shim(launcher, &request, &failure);
	if (pid < 0) return conn_send_failure(&launcher->conn, frame->request_id, &failure);
	struct msg_shim_started started = {.pid = (uint32_t)pid, .start_time = start_time_of(pid)};
	return CONN_SEND(&launcher->conn, frame->request_id, SHIM_STARTED, shim_started, 64, &started);
}

static int handle_request(void *context, struct conn *conn, const struct frame *frame)
{
	struct launcher *launcher = context;
	struct reader body = frame->body;
	struct failure failure = {0};
	int greeted = conn_greet(conn, frame, "");
	if (greeted != 0) return greeted;

	for (size_t i = 0; i < LENGTH(JOBS); i++)
		if (JOBS[i].request == frame->type) return start_job(launcher, JOBS[i].carry_out, frame);
	switch (frame->type) {
	case MSG_START_SHIM:
		return start_shim(launcher, frame);
	case MSG_LOCK: {
		struct msg_lock lock;
		if (!msg_lock_decode(&body, &lock)) break;
		return answer_quick(launcher, frame->request_id, launcher_lock(launcher, lock.path, &failure), &failure);
	}
	case MSG_CGROUP_ENTER: {
		struct msg_cgroup_enter enter;
		if (!msg_cgroup_enter_decode(&body, &enter)) break;
		return answer_quick(launcher, frame->request_id, launcher_enter_cgroups(&enter.cgroups, &failure), &failure);
	}
	default:
		fail(&failure, ENOSYS, "the launcher knows no request of type %u", frame->type);
		return conn_send_failure(conn, frame->request_id, &failure);
	}
	job_bad_request(conn, frame->request_id);
	return 0;
}

/* ---- the loop */

static bool has_begun(const struct job_slot *job) { return job->conn.in_size > 0; }

static bool long_may_begin(const struct launcher *launcher)
{
	size_t begun = 0;
	for (const struct job_slot *job = launcher->jobs; job; job = job->next) begun += job->is_long && has_begun(job);
	return begun < LONG_ANSWERS_MAX;
}

/* While the daemon has not taken what was sent, nothing more is read, neither requests nor answers: memory stays bounded. */
static size_t gather(struct launcher *launcher, struct pollfd *fds)
{
	bool waiting = conn_is_waiting(&launcher->conn);
	bool full = launcher->job_count >= JOBS_MAX, may_begin = long_may_begin(launcher);
	size_t count = 0;

	fds[count++] = (struct pollfd){launcher->conn.fd, (short)(waiting ? POLLOUT : full ? 0 : POLLIN), 0};
	fds[count++] = (struct pollfd){launcher->children, POLLIN, 0};
	for (struct job_slot *job = launcher->jobs; job && !waiting; job = job->next)
		if (job->conn.fd >= 0 && (!job->is_long || may_begin || has_begun(job))) fds[count++] = (struct pollfd){job->conn.fd, POLLIN, 0};
	return count;
}

/* One that has to wait is known for it from now on, and not polled again before its turn. */
static bool may_receive(const struct launcher *launcher, struct job_slot *job)
{
	if (has_begun(job)) return true;
	job->is_long = conn_peek(&job->conn) > CONN_READ_BYTES;
	return !job->is_long || long_may_begin(launcher);
}

static void receive_answers(struct launcher *launcher, const struct pollfd *fds, size_t count)
{
	for (struct job_slot *job = launcher->jobs; job; job = job->next)
		for (size_t i = 2; i < count; i++)
			if (fds[i].revents && fds[i].fd == job->conn.fd) {
				if (!conn_is_waiting(&launcher->conn) && may_receive(launcher, job)) receive_answer(job);
				break;
			}
}

/* Answers < 0 when the daemon is gone. */
static int turn(struct launcher *launcher)
{
	/* One read of the daemon's socket may bring more small requests than JOBS_MAX leaves room for. */
	struct pollfd *fds = calloc(2 + launcher->job_count, sizeof(*fds));
	if (!fds) return -ENOMEM;
	size_t count = gather(launcher, fds);
	int result = poll(fds, count, -1) < 0 && errno != EINTR ? -errno : 0;

	if (result == 0 && fds[1].revents) reap_children(launcher);
	if (result == 0) receive_answers(launcher, fds, count);
	if (result == 0 && (fds[0].revents & POLLOUT)) result = conn_flush(&launcher->conn);
	if (result >= 0 && (fds[0].revents & (POLLERR | POLLHUP))) result = -EPIPE;
	if (result >= 0 && (fds[0].revents & POLLIN))
		result = conn_receive(&launcher->conn, launcher->buffer, handle_request, launcher);
	free(fds);
	if (!conn_is_waiting(&launcher->conn)) forget_finished_jobs(launcher);
	if (result == -EPROTO) fputs("gantry-shim launcher: the daemon sent what is no frame of this protocol\n", stderr);
	return result < 0 || launcher->conn.broken ? -EPIPE : 0;
}

/* Closing a job's socket tells a running program's job to kill it; the other jobs finish what they began. */
static void end(struct launcher *launcher)
{
	while (launcher->jobs) {
		struct job_slot *job = launcher->jobs;
		launcher->jobs = job->next;
		conn_close(&job->conn);
		free(job);
	}
	conn_close(&launcher->conn);
	free(launcher->buffer);
}

/* The end of the daemon ends the launcher, nothing else: a ^C or a service manager's SIGTERM for the whole group
 * must not take it from a daemon that still shuts down in good order. */
static int set_up_signals(void)
{
	sigset_t children;
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigemptyset(&children);
	sigaddset(&children, SIGCHLD);
	sigprocmask(SIG_SETMASK, &children, NULL);
	return signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool is_socket(int fd)
{
	struct stat status;
	return fstat(fd, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* In a chroot the files above it would stay below every container's root after pivot_root(2): a process that joins the
 * container's mount namespace starts at that namespace's own root. Joining our own namespace shows where that is. */
static bool is_in_chroot(void)
{
	pid_t child = fork();
	if (child < 0) return false;
	if (child == 0) {
		struct stat here, top;
		int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
		if (own < 0 || stat("/", &here) < 0 || setns(own, CLONE_NEWNS) < 0 || stat("/", &top) < 0) _exit(0);
		_exit(here.st_dev != top.st_dev || here.st_ino != top.st_ino);
	}
	int status = 0;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

int launcher_main(char **argv)
{
	if (!is_socket(LAUNCHER_FD)) {
		fprintf(stderr, "gantry-shim launcher: descriptor %d must be a socket to the daemon\n", LAUNCHER_FD);
		return 2;
	}
	if (is_in_chroot()) {
		fputs("gantry-shim launcher: refuses to work in a chroot: the host's files would lie below every container's root. "
		      "Use a mount namespace with pivot_root instead.\n", stderr);
		return 1;
	}
	struct launcher launcher = {.executable = self_exec_sealed(argv), .daemon = getppid()};
	if (launcher.executable < 0) return 1;
	prctl(PR_SET_NAME, "gantry-launcher");
	setsid();
	fcntl(LAUNCHER_FD, F_SETFD, FD_CLOEXEC);
	set_nonblocking(LAUNCHER_FD);
	conn_init(&launcher.conn, LAUNCHER_FD);
	launcher.children = set_up_signals();
	launcher.buffer = malloc(CONN_READ_BYTES);
	if (launcher.children < 0 || !launcher.buffer) {
		fputs("gantry-shim launcher: cannot set up: out of memory or descriptors\n", stderr);
		return 1;
	}
	while (turn(&launcher) >= 0)
		;
	end(&launcher);
	return 0;
}
