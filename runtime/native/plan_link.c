/* The socket between creator and init. */
#include <errno.h>
#include "plan_internal.h"

int link_send(int link, enum link_kind kind, uint32_t step, int result, int fd)
{
	struct link_message message = {kind, step, result};
	return send_fd(link, &message, sizeof message, fd);
}

int link_wait(int link, enum link_kind kind, struct link_message *message, int *fd)
{
	int received = -1;
	ssize_t n = receive_fd(link, message, sizeof *message, &received);
	if (n == (ssize_t)sizeof *message && (message->kind == kind || kind == 0)) {
		if (fd) *fd = received;
		else close_at(&received);
		return 0;
	}
	close_at(&received);
	return n < 0 ? (int)n : -ECONNRESET;
}

int ask_creator(struct plan *plan, int *fd, struct failure *failure)
{
	struct link_message message;
	if (plan->link < 0) return fail(failure, EINVAL, "only before wait_start can the host's side be asked");
	if (link_send(plan->link, LINK_ASK, plan->step, 0, -1) < 0 || link_wait(plan->link, LINK_ANSWER, &message, fd) < 0)
		return fail(failure, ECONNRESET, "the host's side is gone");
	/* The creator told the report why. */
	return message.result < 0 ? fail(failure, -message.result, "the host's side failed") : 0;
}
