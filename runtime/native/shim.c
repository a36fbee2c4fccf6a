/* The shim's set-up and loop. Its life is drawn in shim_state.h. */
#include "resident.h"
#include "shim.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include "shim_state.h"
#ifdef __GLIBC__
#include <malloc.h>
#endif

#define IDLE_NS 1000000000u

static void signals_ready(struct source *source, uint32_t events)
{
	(void)events;
	struct shim *shim = CONTAINER_OF(source, struct shim, signals);
	struct signalfd_siginfo seen;
	bool child = false;
	while (read(source->fd, &seen, sizeof seen) == (ssize_t)sizeof seen) {
		if (seen.ssi_signo == SIGCHLD) child = true;
		/* A pod outlives everything; a shim without one may go. */
		else if (!shim->containers) shim->stopping = true;
	}
	if (child) reap(shim);
}

static int watch_signals(struct shim *shim)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_SETMASK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	shim->signals = (struct source){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK), .ready = signals_ready};
	return shim->signals.fd < 0 ? -errno : source_watch(&shim->loop, &shim->signals, EPOLLIN);
}

static int set_up(struct shim *shim)
{
	int result = loop_init(&shim->loop);
	if (result < 0) return result;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0) return -errno;
	shim->buffer = pages_new(CONN_READ_BYTES);
	if (!shim->buffer) return -ENOMEM;
	if ((result = watch_signals(shim)) < 0) return result;
	if (fcntl(SHIM_LISTEN_FD, F_SETFD, FD_CLOEXEC) < 0) return -errno;
	set_nonblocking(SHIM_LISTEN_FD);
	shim->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	shim->listener = (struct source){.fd = SHIM_LISTEN_FD, .ready = clients_accept};
	return source_watch(&shim->loop, &shim->listener, EPOLLIN);
}

/* What a burst has touched goes back to the node: hundreds of shims idle on it. */
static void give_back(struct shim *shim)
{
	madvise(shim->buffer, CONN_READ_BYTES, MADV_DONTNEED);
	for (struct client *client = shim->clients; client; client = client->next) conn_trim(&client->conn);
#ifdef __GLIBC__ /* musl gives back by itself */
	malloc_trim(0);
#endif
	resident_trim();
	shim->buffer_used = false;
}

static void remove_socket(int fd)
{
	struct sockaddr_un address;
	socklen_t size = sizeof address;
	if (getsockname(fd, (struct sockaddr *)&address, &size) == 0 && size > sizeof(sa_family_t) && address.sun_path[0]) unlink(address.sun_path);
}

/* The answer to SHUTDOWN is still to be sent. */
static void flush_clients(struct shim *shim)
{
	for (struct client *client = shim->clients; client; client = client->next)
		if (!client->gone) conn_flush(&client->conn);
}

/* It takes the kernel a millisecond, in which the daemon still writes the plan. Without one, spawn makes it. */
static int make_network_ahead(struct shim *shim)
{
	AUTO_CLOSE int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own < 0 || unshare(CLONE_NEWNET) < 0) return 0;
	shim->network = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	return setns(own, CLONE_NEWNET) < 0 ? -errno : 0;
}

int shim_main(const char *sandbox_id, bool network)
{
	static struct shim shim;
	shim.sandbox_id = sandbox_id;
	shim.network = -1;
	/* Until here it was to die with the launcher: from now on its command line tells whose it is. */
	prctl(PR_SET_PDEATHSIG, 0);
	if (chdir("/") < 0) return 1;
	umask(022);
	int result = set_up(&shim);
	if (result == 0 && network) result = make_network_ahead(&shim);
	if (result < 0) {
		fprintf(stderr, "gantry-shim: cannot start the shim of %s: %s\n", shim.sandbox_id, strerror(-result));
		return 1;
	}
	while (!shim.stopping) {
		result = loop_run_once(&shim.loop, shim.buffer_used ? IDLE_NS : 0);
		if (result < 0) return 1;
		clients_sweep(&shim);
		if (result == 0 && shim.buffer_used) give_back(&shim);
	}
	flush_clients(&shim);
	remove_socket(SHIM_LISTEN_FD);
	return 0;
}
