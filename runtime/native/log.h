/* A container's log in the CRI format, one entry a line:
 *
 *   2026-01-02T03:04:05.678901234Z stdout F the line
 *
 * P marks a piece of a line that goes on in the next entry of the same stream: lines longer than line_max bytes are
 * cut into such pieces, the last of which is F. What a stream leaves without a newline when it ends is written as F.
 * A line that has not ended yet is held back, so that no line below the limit is ever split or torn.
 */
#pragma once
#include "util.h"

#define LOG_LINE_MAX_DEFAULT 16384u

struct log {
	int fd;		      /* -1: nothing is logged */
	uint32_t line_max;
	uint64_t lost;	      /* bytes that did not fit the disk and are not yet told of */
	int lost_err;
};

struct log_stream {
	const char *name; /* "stdout" or "stderr" */
	uint8_t *held;	  /* the line so far; NULL when there is none */
	size_t held_size;
};

/* "": no log. -errno with failure. */
int log_open(struct log *log, const char *path, uint32_t line_max, struct failure *failure);
/* The new file takes the place of the old one; what is held of a line goes to the new one. The old one stays on failure. */
int log_reopen(struct log *log, const char *path, struct failure *failure);
/* One read's worth of output: one time stamp for all of it. */
void log_append(struct log *log, struct log_stream *stream, const uint8_t *data, size_t size);
/* Says in the log what was lost, once there is room again. False: there is none yet. */
bool log_tell_lost(struct log *log);
/* The stream has ended. */
void log_finish(struct log *log, struct log_stream *stream);
void log_close(struct log *log);
/* RFC 3339 with nanoseconds, in UTC; 30 characters and NUL. */
void format_time(uint64_t realtime, char text[32]);
