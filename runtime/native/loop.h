/* An epoll loop with timers. */
#pragma once
#include <sys/epoll.h>
#include "util.h"

struct source {
	int fd;
	uint32_t events; /* what it waits for now; 0: it is out of the loop */
	void (*ready)(struct source *source, uint32_t events);
};

struct timer {
	struct timer *next;
	uint64_t at; /* monotonic ns; 0: off */
	void (*fire)(struct timer *timer);
};

#define LOOP_BATCH 32
struct loop {
	int epoll;
	struct timer *timers;
	struct epoll_event batch[LOOP_BATCH];
	int batch_size;
};

int loop_init(struct loop *loop);
/* Waits once and calls what is ready. idle_ns: at most so long; 0: as long as it takes. Answers how many were ready, or -errno. */
int loop_run_once(struct loop *loop, uint64_t idle_ns);
/* 0 takes it out: a hang-up would be reported for ever otherwise. */
int source_watch(struct loop *loop, struct source *source, uint32_t events);
/* Out of the loop, and closed. Events of it that are still in the batch are dropped. */
void source_close(struct loop *loop, struct source *source);
void timer_set(struct loop *loop, struct timer *timer, uint64_t at, void (*fire)(struct timer *timer));
void timer_clear(struct loop *loop, struct timer *timer);

#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))
