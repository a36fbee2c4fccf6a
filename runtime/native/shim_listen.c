/* Accepting connections, also when there are no descriptors for them.
 *
 * Without one the listener would stay ready and be asked again and again. So it is not watched for a moment; and one of
 * those who connect, at a time, gets a descriptor that is kept for this, to be told why nothing is done for it.
 */
#include <errno.h>
#include <sys/socket.h>
#include "shim_state.h"

#define PAUSE_NS 100000000u

static int accept_one(const struct source *listener)
{
	return accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
}

static bool is_no_room(int err) { return err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS; }

static void pause_over(struct timer *timer)
{
	struct shim *shim = CONTAINER_OF(timer, struct shim, pause);
	/* Whoever is to be told has said nothing all this time. */
	for (struct client *client = shim->clients; client; client = client->next)
		if (client->turned_away) client->doomed = true;
	listen_again(shim);
}

static void stop_listening(struct shim *shim)
{
	source_watch(&shim->loop, &shim->listener, 0);
	timer_set(&shim->loop, &shim->pause, monotonic_ns() + PAUSE_NS, pause_over);
}

void listen_again(struct shim *shim)
{
	if (shim->spare < 0) shim->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (shim->spare < 0) stop_listening(shim);
	else source_watch(&shim->loop, &shim->listener, EPOLLIN);
}

void clients_accept(struct source *source, uint32_t events)
{
	(void)events;
	struct shim *shim = CONTAINER_OF(source, struct shim, listener);
	int fd = accept_one(source);
	bool no_room = fd < 0 && is_no_room(errno);
	if (no_room) {
		stop_listening(shim);
		close_at(&shim->spare);
		fd = accept_one(source);
	}
	if (fd < 0 || client_add(shim, fd, no_room)) return;
	stop_listening(shim);
	close_at(&fd);
}
