/* A socket belongs to the network namespace in which it was made, and stays there, whoever uses it.
 *
 * It is made by a child that shares memory and descriptors, as after vfork, and enters the namespace alone. The shim
 * itself never does: were the way back refused, what it forks from then on, hooks and pods of the host's network
 * among them, would run in the wrong one. Nothing in the child can wait for anything.
 */
#include "netns_socket.h"
#include <errno.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define STACK_BYTES (64u * 1024)

struct errand {
	int pidfd;
	struct loopback_sockets made;
	int entering, making; /* errno, 0: it went well */
};

/* -1 also where the kernel has no such family, which is no failure. */
static int socket_of(int family, struct errand *errand)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 && errno != EAFNOSUPPORT) errand->making = errno;
	return fd;
}

/* No buffers of its own: the stack is not one that a sanitizer knows. */
static int run_errand(void *context)
{
	struct errand *errand = context;
	if (setns(errand->pidfd, CLONE_NEWNET) < 0) {
		errand->entering = errno;
		return 0;
	}
	errand->made.v4 = socket_of(AF_INET, errand);
	errand->made.v6 = socket_of(AF_INET6, errand);
	if (errand->made.v4 < 0 && errand->made.v6 < 0 && !errand->making) errand->making = EAFNOSUPPORT;
	return 0;
}

static int run_beside(struct errand *errand)
{
	uint8_t *stack = pages_new(STACK_BYTES);
	if (!stack) return -ENOMEM;
	pid_t pid = clone(run_errand, stack + STACK_BYTES, CLONE_VM | CLONE_FILES | CLONE_VFORK, errand);
	int result = pid < 0 ? -errno : 0;
	/* It ends without a signal, and only __WCLONE sees it. */
	while (pid > 0 && waitpid(pid, NULL, __WCLONE) < 0 && errno == EINTR);
	pages_free(stack, STACK_BYTES);
	return result;
}

int sockets_in_namespace_of(int pidfd, struct loopback_sockets *made, struct failure *failure)
{
	struct errand errand = {.pidfd = pidfd, .made = {-1, -1}};
	int result = run_beside(&errand);
	*made = errand.made;
	if (result < 0) return fail(failure, -result, "cannot fork");
	if (errand.entering) return fail(failure, errand.entering, "cannot enter its network namespace");
	if (!errand.making) return 0;
	close_at(&made->v4);
	close_at(&made->v6);
	return fail(failure, errand.making, "cannot make a socket in its network namespace");
}
