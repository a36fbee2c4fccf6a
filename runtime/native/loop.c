#include "loop.h"
#include <errno.h>

int loop_init(struct loop *loop)
{
	loop->timers = NULL;
	loop->batch_size = 0;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	return loop->epoll < 0 ? -errno : 0;
}

static int milliseconds_until_next(const struct loop *loop, uint64_t idle_ns)
{
	uint64_t now = monotonic_ns(), next = idle_ns ? now + idle_ns : 0;
	for (const struct timer *timer = loop->timers; timer; timer = timer->next)
		if (next == 0 || timer->at < next) next = timer->at;
	if (next == 0) return -1;
	if (next <= now) return 0;
	uint64_t milliseconds = (next - now + 999999) / 1000000;
	return milliseconds > 3600000 ? 3600000 : (int)milliseconds;
}

static void fire_timers(struct loop *loop)
{
	uint64_t now = monotonic_ns();
	/* From the start again after each: what fires may set and clear others. */
	for (struct timer *timer = loop->timers; timer;) {
		if (timer->at > now) {
			timer = timer->next;
			continue;
		}
		timer_clear(loop, timer);
		timer->fire(timer);
		timer = loop->timers;
	}
}

int loop_run_once(struct loop *loop, uint64_t idle_ns)
{
	int count = epoll_wait(loop->epoll, loop->batch, LOOP_BATCH, milliseconds_until_next(loop, idle_ns));
	if (count < 0) return errno == EINTR ? 0 : -errno;
	loop->batch_size = count;
	for (int i = 0; i < loop->batch_size; i++) {
		struct source *source = loop->batch[i].data.ptr;
		if (source) source->ready(source, loop->batch[i].events);
	}
	loop->batch_size = 0;
	fire_timers(loop);
	return count;
}

int source_watch(struct loop *loop, struct source *source, uint32_t events)
{
	if (source->fd < 0 || source->events == events) return 0;
	struct epoll_event event = {.events = events, .data.ptr = source};
	int operation = source->events == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
	if (epoll_ctl(loop->epoll, operation, source->fd, &event) < 0) return -errno;
	source->events = events;
	for (int i = 0; events == 0 && i < loop->batch_size; i++)
		if (loop->batch[i].data.ptr == source) loop->batch[i].data.ptr = NULL;
	return 0;
}

void source_close(struct loop *loop, struct source *source)
{
	source_watch(loop, source, 0);
	close_at(&source->fd);
}

void timer_clear(struct loop *loop, struct timer *timer)
{
	for (struct timer **at = &loop->timers; *at; at = &(*at)->next)
		if (*at == timer) {
			*at = timer->next;
			break;
		}
	timer->at = 0;
}

void timer_set(struct loop *loop, struct timer *timer, uint64_t at, void (*fire)(struct timer *timer))
{
	timer_clear(loop, timer);
	timer->at = at ? at : 1;
	timer->fire = fire;
	timer->next = loop->timers;
	loop->timers = timer;
}
