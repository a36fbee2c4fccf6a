#include "log.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define PARTS 512

/* Entries on their way to one writev. A part that ends in '\n' ends an entry; the prefixes are shared by all of them. */
struct batch {
	struct log *log;
	char full[64], partial[64]; /* prefixes with F and P */
	size_t prefix_size;
	struct iovec parts[PARTS];
	int count;
};

static void put_digits(char *at, unsigned int value, int digits)
{
	while (digits-- > 0) {
		at[digits] = (char)('0' + value % 10);
		value /= 10;
	}
}

/* By hand: the C library's conversions read time zone files, also for UTC. Days to a date after the calendar of
 * 400-year eras that begin in March. */
void format_time(uint64_t realtime, char text[32])
{
	uint64_t seconds = realtime / 1000000000u;
	uint64_t days = seconds / 86400 + 719468, rest = seconds % 86400;
	uint64_t era = days / 146097, day_of_era = days % 146097;
	uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	uint64_t march_month = (5 * day_of_year + 2) / 153;
	unsigned int month = (unsigned int)(march_month < 10 ? march_month + 3 : march_month - 9);
	memcpy(text, "0000-00-00T00:00:00.000000000Z", 31);
	put_digits(text, (unsigned int)(year_of_era + era * 400 + (month <= 2)), 4);
	put_digits(text + 5, month, 2);
	put_digits(text + 8, (unsigned int)(day_of_year - (153 * march_month + 2) / 5 + 1), 2);
	put_digits(text + 11, (unsigned int)(rest / 3600), 2);
	put_digits(text + 14, (unsigned int)(rest / 60 % 60), 2);
	put_digits(text + 17, (unsigned int)(rest % 60), 2);
	put_digits(text + 20, (unsigned int)(realtime % 1000000000u), 9);
}

/* A collector of logs sees their folder and may put something else in a log's place: a symlink would lead what a
 * container writes to any file of the host, and a FIFO hold the shim up. */
static int open_log(const char *path, struct failure *failure)
{
	struct stat status;
	AUTO_CLOSE int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK, 0640);
	if (fd < 0) return fail(failure, errno, "cannot open the log %s", path);
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) return fail(failure, EINVAL, "the log %s is no regular file", path);
	return take_fd(&fd);
}

int log_open(struct log *log, const char *path, uint32_t line_max, struct failure *failure)
{
	*log = (struct log){.fd = -1, .line_max = line_max ? line_max : LOG_LINE_MAX_DEFAULT};
	if (*path == 0) return 0;
	log->fd = open_log(path, failure);
	return log->fd < 0 ? log->fd : 0;
}

int log_reopen(struct log *log, const char *path, struct failure *failure)
{
	int fd = open_log(path, failure);
	if (fd < 0) return fd;
	close_at(&log->fd);
	log->fd = fd;
	return 0;
}

void log_close(struct log *log)
{
	close_at(&log->fd);
}

static bool is_prefix(const struct batch *batch, const struct iovec *part)
{
	return part->iov_base == batch->full || part->iov_base == batch->partial;
}

static void count_lost(struct batch *batch, int from, int err)
{
	for (int i = from; i < batch->count; i++)
		if (!is_prefix(batch, &batch->parts[i])) batch->log->lost += batch->parts[i].iov_len;
	batch->log->lost_err = err;
}

/* Takes away the beginning of an entry whose end did not fit. */
static void cut_torn(const struct log *log, size_t torn)
{
	struct stat status;
	if (torn > 0 && fstat(log->fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size >= (off_t)torn)
		(void)!ftruncate(log->fd, status.st_size - (off_t)torn);
}

bool log_tell_lost(struct log *log)
{
	char line[192], time[32];
	if (log->lost == 0) return true;
	format_time(realtime_ns(), time);
	int length = snprintf(line, sizeof line, "%s stderr F gantry: %llu bytes of output were lost here: %s\n", time,
			      (unsigned long long)log->lost, strerror(log->lost_err));
	ssize_t n = write(log->fd, line, (size_t)length);
	if (n == length) log->lost = 0;
	else if (n > 0) cut_torn(log, (size_t)n);
	return n == length;
}

static bool ends_entry(const struct iovec *part)
{
	return ((const char *)part->iov_base)[part->iov_len - 1] == '\n';
}

/* After `written` bytes nothing more went in: whole entries stay, the rest is lost. */
static void drop_rest(struct batch *batch, size_t written, int err)
{
	size_t offset = 0, kept = 0;
	int first_lost = 0;
	for (int i = 0; i < batch->count && (offset += batch->parts[i].iov_len) <= written; i++) {
		if (!ends_entry(&batch->parts[i])) continue;
		kept = offset;
		first_lost = i + 1;
	}
	count_lost(batch, first_lost, err);
	cut_torn(batch->log, written - kept);
}

/* One write from byte `written` of the batch on; 0 when all of it is written. */
static ssize_t write_from(struct batch *batch, size_t written)
{
	int at = 0;
	while (at < batch->count && written >= batch->parts[at].iov_len) written -= batch->parts[at++].iov_len;
	if (at == batch->count) return 0;
	struct iovec whole = batch->parts[at];
	batch->parts[at] = (struct iovec){(char *)whole.iov_base + written, whole.iov_len - written};
	ssize_t n = writev(batch->log->fd, batch->parts + at, batch->count - at);
	batch->parts[at] = whole;
	return n;
}

static void flush(struct batch *batch)
{
	size_t written = 0;
	if (batch->count == 0) return;
	if (!log_tell_lost(batch->log)) {
		count_lost(batch, 0, batch->log->lost_err);
		batch->count = 0;
	}
	for (ssize_t n; (n = write_from(batch, written)) != 0;) {
		if (n < 0 && errno == EINTR) continue;
		if (n < 0) {
			drop_rest(batch, written, errno);
			break;
		}
		written += (size_t)n;
	}
	batch->count = 0;
}

static void add(struct batch *batch, const void *data, size_t size)
{
	if (size > 0) batch->parts[batch->count++] = (struct iovec){(void *)(uintptr_t)data, size};
}

static void add_entry(struct batch *batch, bool partial, struct log_stream *stream, const uint8_t *data, size_t size)
{
	if (batch->count + 4 > PARTS) flush(batch);
	add(batch, partial ? batch->partial : batch->full, batch->prefix_size);
	add(batch, stream->held, stream->held_size);
	stream->held_size = 0;
	add(batch, data, size);
	if (size == 0 || data[size - 1] != '\n') add(batch, "\n", 1);
}

static void begin(struct batch *batch, struct log *log, const struct log_stream *stream)
{
	char time[32];
	batch->log = log;
	batch->count = 0;
	format_time(realtime_ns(), time);
	batch->prefix_size = (size_t)snprintf(batch->full, sizeof batch->full, "%s %s F ", time, stream->name);
	snprintf(batch->partial, sizeof batch->partial, "%s %s P ", time, stream->name);
}

static void hold(struct log *log, struct log_stream *stream, const uint8_t *data, size_t size)
{
	if (size > 0 && !stream->held) {
		stream->held = malloc(log->line_max);
		if (!stream->held) {
			log->lost += size;
			log->lost_err = ENOMEM;
			return;
		}
	}
	if (size > 0) memcpy(stream->held + stream->held_size, data, size);
	stream->held_size += size;
	if (stream->held_size == 0) {
		free(stream->held);
		stream->held = NULL;
	}
}

void log_append(struct log *log, struct log_stream *stream, const uint8_t *data, size_t size)
{
	struct batch batch;
	if (log->fd < 0) return;
	begin(&batch, log, stream);
	while (size > 0) {
		const uint8_t *newline = memchr(data, '\n', size);
		size_t line = newline ? (size_t)(newline - data) : size;
		if (stream->held_size + line > log->line_max) {
			size_t piece = log->line_max - stream->held_size;
			add_entry(&batch, true, stream, data, piece);
			data += piece;
			size -= piece;
		} else if (newline) {
			add_entry(&batch, false, stream, data, line + 1);
			data += line + 1;
			size -= line + 1;
		} else {
			break;
		}
	}
	flush(&batch);
	hold(log, stream, data, size);
}

void log_finish(struct log *log, struct log_stream *stream)
{
	struct batch batch;
	if (log->fd >= 0 && stream->held_size > 0) {
		begin(&batch, log, stream);
		add_entry(&batch, false, stream, NULL, 0);
		flush(&batch);
	}
	free(stream->held);
	stream->held = NULL;
	stream->held_size = 0;
}
