#include "net_apply.h"
#include <errno.h>
#include <linux/magic.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>
#include "netlink.h"

#define SOCKETS_MAX 8
/* A dump of a table that changes all the time is given up after this many attempts. */
#define DUMP_ATTEMPTS 16

struct net_socket {
	uint32_t ns, protocol;
	int fd;
};

struct net {
	int host, pod; /* namespaces; host is opened when it is left for the first time */
	struct net_socket sockets[SOCKETS_MAX];
	size_t socket_count;
	uint32_t sequence;
};

/* ---- namespaces */

static int enter(struct net *net, uint32_t ns, struct failure *failure)
{
	if (ns == NET_HOST) return 0;
	if (ns != NET_POD) return fail(failure, EINVAL, "%u is no namespace of a network plan", ns);
	if (net->pod < 0) return fail(failure, EINVAL, "the step needs the pod's network namespace, and none was given");
	if (net->host < 0) net->host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (net->host < 0) return fail(failure, errno, "cannot open the own network namespace");
	if (setns(net->pod, CLONE_NEWNET) < 0) return fail(failure, errno, "cannot enter the pod's network namespace");
	return 0;
}

static int leave(struct net *net, uint32_t ns, struct failure *failure)
{
	if (ns == NET_HOST || setns(net->host, CLONE_NEWNET) == 0) return 0;
	return fail(failure, errno, "cannot return to the host's network namespace");
}

/* A socket stays in the namespace in which it was made. */
static int socket_for(struct net *net, uint32_t ns, uint32_t protocol, struct failure *failure)
{
	for (size_t i = 0; i < net->socket_count; i++)
		if (net->sockets[i].ns == ns && net->sockets[i].protocol == protocol) return net->sockets[i].fd;
	if (net->socket_count == SOCKETS_MAX) return fail(failure, EMFILE, "the plan speaks more than %d netlink protocols", SOCKETS_MAX);
	if (enter(net, ns, failure) < 0) return -1;
	int fd = netlink_open((int)protocol);
	if (leave(net, ns, failure) < 0) {
		close_at(&fd);
		return -1;
	}
	if (fd < 0) return fail(failure, -fd, "cannot open a netlink socket of protocol %u", protocol);
	net->sockets[net->socket_count++] = (struct net_socket){ns, protocol, fd};
	return fd;
}

/* ---- steps */

/* The kernel's own sentence, and where in the messages it points. */
static int kernel_failure(const struct net_step *step, const struct netlink_exchange *exchange, struct failure *failure)
{
	char which[48] = "", where[32] = "";
	if (exchange->count > 1) snprintf(which, sizeof(which), ", message %u of %u", exchange->err_index + 1, exchange->count);
	if (exchange->err_offset > 0) snprintf(where, sizeof(where), ", at byte %u", exchange->err_offset);
	const char *text = *exchange->err_text ? exchange->err_text : "the kernel refused it";
	return fail(failure, exchange->err, "%s: %s%s%s", step->label, text, which, where);
}

static int exchange_failure(const struct net_step *step, const struct netlink_exchange *exchange, int result, struct failure *failure)
{
	switch (-result) {
	case 0:
		break;
	case EINVAL:
		return fail(failure, EINVAL, "%s: its messages are not well formed, or a dump is not alone", step->label);
	case ETIMEDOUT:
		return fail(failure, ETIMEDOUT, "%s: the kernel acknowledged only some of its messages", step->label);
	case EMSGSIZE:
		return fail(failure, EMSGSIZE, "%s: a message or what the kernel answered is too large", step->label);
	default:
		return fail(failure, -result, "%s: the exchange with the kernel failed", step->label);
	}
	return exchange->err == 0 ? 0 : kernel_failure(step, exchange, failure);
}

static int append_result(struct net_outcome *outcome, uint32_t step, uint64_t elapsed_ns, struct bytes reply)
{
	size_t needed = outcome->size + reply.size + 32;
	if (needed > MAX_FRAME_BYTES - 64) return -EMSGSIZE;
	if (needed > outcome->capacity) {
		size_t capacity = needed + needed / 2;
		uint8_t *grown = realloc(outcome->results, capacity);
		if (!grown) return -ENOMEM;
		outcome->results = grown;
		outcome->capacity = capacity;
	}
	struct writer writer = {outcome->results, outcome->size, outcome->capacity, false};
	struct net_result result = {.step = step, .elapsed_ns = elapsed_ns, .reply = reply};
	net_result_encode(&writer, &result);
	outcome->size = writer.size;
	outcome->count++;
	return 0;
}

/* Sends the step's messages, again when a dump was disturbed. The exchange is the caller's to release. */
static int run_exchange(struct net *net, int socket, const struct net_step *step, uint8_t *messages, struct netlink_exchange *exchange)
{
	for (int attempt = 1;; attempt++) {
		*exchange = (struct netlink_exchange){.tolerate = &step->tolerate};
		int result = netlink_prepare(exchange, messages, step->messages.size, net->sequence);
		net->sequence += exchange->count;
		if (result == 0) result = netlink_exchange(socket, exchange, messages, step->messages.size);
		if (result < 0 || !exchange->dump || !exchange->interrupted || exchange->err != 0) return result;
		if (attempt == DUMP_ATTEMPTS) return -EBUSY;
		netlink_release(exchange);
	}
}

static int apply_netlink(struct net *net, const struct net_step *step, struct netlink_exchange *exchange, struct failure *failure)
{
	int socket = socket_for(net, step->ns, step->protocol, failure);
	if (socket < 0) return socket;
	AUTO_FREE uint8_t *messages = malloc(step->messages.size + 1u);
	if (!messages) return fail(failure, ENOMEM, "%s: no memory", step->label);
	memcpy(messages, step->messages.data, step->messages.size);
	if (step->netns_fd_offsets.count > 0 && net->pod < 0) return fail(failure, EINVAL, "%s: no pod namespace was given", step->label);
	if (netlink_patch(messages, step->messages.size, &step->netns_fd_offsets, (uint32_t)net->pod) < 0)
		return fail(failure, EINVAL, "%s: an offset lies beyond the messages", step->label);
	int result = run_exchange(net, socket, step, messages, exchange);
	return exchange_failure(step, exchange, result, failure);
}

/* Opened beneath /proc/sys, which must be procfs: a mount in its place would swallow what is written. */
static int write_sysctl(const struct net_step *step)
{
	static const char PREFIX[] = "/proc/sys/";
	const char *path = strncmp(step->path, PREFIX, sizeof(PREFIX) - 1) == 0 ? step->path + sizeof(PREFIX) - 1 : step->path;
	struct statfs status;
	AUTO_CLOSE int folder = open("/proc/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || fstatfs(folder, &status) < 0) return -errno;
	if (status.f_type != PROC_SUPER_MAGIC) return -EXDEV;
	AUTO_CLOSE int file = open_beneath(folder, path, O_WRONLY, 0);
	return file < 0 ? file : write_all(file, step->value, strlen(step->value));
}

static bool tolerates(const struct net_step *step, int err)
{
	struct reader items = step->tolerate.items;
	for (uint32_t i = 0, value; i < step->tolerate.count && get_u32(&items, &value); i++)
		if ((int)value == err) return true;
	return false;
}

static int apply_sysctl(struct net *net, const struct net_step *step, struct failure *failure)
{
	/* /proc/sys/net shows the namespace of whoever looks. */
	if (enter(net, step->ns, failure) < 0) return -1;
	int result = write_sysctl(step);
	if (leave(net, step->ns, failure) < 0) return -1;
	if (result == 0 || tolerates(step, -result)) return 0;
	return fail(failure, -result, "%s: cannot write %s to the sysctl %s", step->label, step->value, step->path);
}

static int apply_step(struct net *net, const struct net_step *step, uint32_t index, struct net_outcome *outcome, struct failure *failure)
{
	struct netlink_exchange exchange = {0};
	uint64_t began = monotonic_ns();
	int result;

	if (step->kind == NET_NETLINK)
		result = apply_netlink(net, step, &exchange, failure);
	else if (step->kind == NET_SYSCTL)
		result = apply_sysctl(net, step, failure);
	else
		result = fail(failure, EINVAL, "%s: %u is no kind of a network plan's step", step->label, step->kind);
	if (result == 0) {
		struct bytes reply = {exchange.reply, (uint32_t)exchange.reply_size};
		result = append_result(outcome, index, monotonic_ns() - began, reply);
		if (result < 0) fail(failure, -result, "%s: the answers of the kernel do not fit one frame", step->label);
	}
	netlink_release(&exchange);
	return result < 0 ? -failure->err : 0;
}

void net_outcome_free(struct net_outcome *outcome)
{
	free(outcome->results);
	*outcome = (struct net_outcome){0};
}

int net_apply(const struct msg_net_apply *plan, int pod, struct net_outcome *outcome, struct failure *failure)
{
	struct net net = {.host = -1, .pod = pod, .sequence = 1};
	struct reader steps = plan->steps.items;
	int result = 0;

	*outcome = (struct net_outcome){.step = NO_STEP};
	for (uint32_t i = 0; result == 0 && i < plan->steps.count; i++) {
		struct net_step step;
		outcome->step = i;
		if (!net_step_decode(&steps, &step)) {
			result = fail(failure, EBADMSG, "step %u of the network plan cannot be read", i);
			break;
		}
		outcome->kind = step.kind;
		result = apply_step(&net, &step, i, outcome, failure);
	}
	for (size_t i = 0; i < net.socket_count; i++) close(net.sockets[i].fd);
	close_at(&net.host);
	return result;
}
