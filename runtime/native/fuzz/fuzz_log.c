/* What containers write, into a log: read back by the rules of the CRI format it must be what was written. The
 * first byte tells the longest line; then pieces, each behind a byte with its stream and its length. */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "../log.h"
#include "fuzz.h"

#define TIME_SIZE 30
#define PIECE_MAX 0x7f

struct text {
	uint8_t *data;
	size_t size;
};

static void put_text(struct text *text, const uint8_t *data, size_t size)
{
	if (size == 0) return;
	memcpy(text->data + text->size, data, size);
	text->size += size;
}

static void write_pieces(struct log *log, const uint8_t *data, size_t size, struct text written[2])
{
	struct log_stream streams[2] = {{.name = "stdout"}, {.name = "stderr"}};
	while (size > 0) {
		int which = *data >> 7;
		size_t piece = *data & PIECE_MAX;
		data++, size--;
		if (piece > size) piece = size;
		log_append(log, &streams[which], data, piece);
		put_text(&written[which], data, piece);
		data += piece, size -= piece;
	}
	for (int which = 0; which < 2; which++) {
		struct text *text = &written[which];
		log_finish(log, &streams[which]);
		if (text->size > 0 && text->data[text->size - 1] != '\n') put_text(text, (const uint8_t *)"\n", 1);
	}
}

/* One entry: `TIME stdout F text`. */
static void read_entry(const uint8_t *entry, size_t size, uint32_t line_max, struct text read[2])
{
	static const size_t HEAD = TIME_SIZE + sizeof(" stdout F ") - 1;
	FUZZ_CHECK(size >= HEAD && size - HEAD <= line_max);
	FUZZ_CHECK(entry[TIME_SIZE - 1] == 'Z' && entry[10] == 'T');
	const char *rest = (const char *)entry + TIME_SIZE;
	bool is_stderr = memcmp(rest, " stderr ", 8) == 0;
	FUZZ_CHECK(is_stderr || memcmp(rest, " stdout ", 8) == 0);
	FUZZ_CHECK((rest[8] == 'F' || rest[8] == 'P') && rest[9] == ' ');
	put_text(&read[is_stderr], entry + HEAD, size - HEAD);
	if (rest[8] == 'F') put_text(&read[is_stderr], (const uint8_t *)"\n", 1);
}

static void read_back(const uint8_t *data, size_t size, uint32_t line_max, struct text read[2])
{
	while (size > 0) {
		const uint8_t *newline = memchr(data, '\n', size);
		FUZZ_CHECK(newline);
		size_t entry = (size_t)(newline - data);
		read_entry(data, entry, line_max, read);
		data += entry + 1;
		size -= entry + 1;
	}
}

static void run(const uint8_t *data, size_t size)
{
	if (size == 0) return;
	struct log log = {.fd = memfd_create("log", MFD_CLOEXEC), .line_max = 1 + data[0] % 100};
	struct text written[2], read[2];
	for (int which = 0; which < 2; which++) {
		written[which] = (struct text){malloc(size + 1), 0};
		read[which] = (struct text){malloc(size + 1), 0};
	}
	write_pieces(&log, data + 1, size - 1, written);
	size_t log_size = (size_t)lseek(log.fd, 0, SEEK_END);
	uint8_t *content = malloc(log_size + 1);
	FUZZ_CHECK(pread(log.fd, content, log_size, 0) == (ssize_t)log_size);
	read_back(content, log_size, log.line_max, read);
	for (int which = 0; which < 2; which++) {
		FUZZ_CHECK(read[which].size == written[which].size);
		FUZZ_CHECK(memcmp(read[which].data, written[which].data, read[which].size) == 0);
		free(written[which].data);
		free(read[which].data);
	}
	free(content);
	log_close(&log);
}

static void put_piece(struct writer *to, bool is_stderr, const char *text)
{
	uint8_t head = (uint8_t)(strlen(text) | (is_stderr ? 0x80 : 0));
	put_raw(to, &head, 1);
	put_raw(to, text, strlen(text));
}

static bool seed(uint32_t index, struct writer *to)
{
	static const uint8_t LINE_MAX[] = {0, 1, 9, 99};
	if (index >= sizeof(LINE_MAX)) return false;
	put_raw(to, &LINE_MAX[index], 1);
	put_piece(to, false, "a line\nanother\n");
	put_piece(to, true, "half ");
	put_piece(to, false, "\n\n");
	put_piece(to, true, "of it, longer than ten\nrest");
	put_piece(to, false, "ten bytes!\nten bytes!");
	return true;
}

const struct fuzz_target fuzz_target = {"log", seed, run};
