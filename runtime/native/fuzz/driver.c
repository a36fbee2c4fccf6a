/* A mutation fuzzer of our own, because gcc brings none: deterministic for a seed, bounded in count and time.
 *
 *   HARNESS [--seed N] [--count N] [--seconds N] [--file REPRODUCER]
 *
 * It mutates the harness's seeds, keeps some of the mutants as further seeds, and runs each under the sanitizers.
 * What fails is written to crash-HARNESS in the working folder; --file runs that again. */
#include "fuzz.h"
#include <sanitizer/common_interface_defs.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INPUT_MAX (64u * 1024)
#define POOL_MAX 256
#define RUN_SECONDS_MAX 10

struct input {
	uint8_t *data;
	size_t size;
};

static struct {
	struct input pool[POOL_MAX];
	uint32_t pool_count, seed_count;
	struct input present;
	uint64_t random;
} state;

static void save_present(void)
{
	char path[128];
	snprintf(path, sizeof(path), "crash-%s", fuzz_target.name);
	FILE *file = state.present.data ? fopen(path, "w") : NULL;
	if (!file) return;
	fwrite(state.present.data, 1, state.present.size, file);
	fclose(file);
	fprintf(stderr, "fuzz: the input is in %s (run again with --file %s)\n", path, path);
}

void fuzz_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "fuzz: %s:%d: does not hold: %s\n", file, line, condition);
	save_present();
	_exit(1);
}

static void on_signal(int signal)
{
	static const char HANGS[] = "fuzz: an input takes too long\n", ABORTED[] = "fuzz: aborted\n";
	if (signal == SIGALRM)
		(void)!write(2, HANGS, sizeof(HANGS) - 1);
	else
		(void)!write(2, ABORTED, sizeof(ABORTED) - 1);
	save_present();
	_exit(1);
}

/* splitmix64 */
static uint64_t next_random(void)
{
	uint64_t z = state.random += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static size_t below(size_t limit) { return limit ? (size_t)(next_random() % limit) : 0; }

static void add_to_pool(const uint8_t *data, size_t size)
{
	/* Seeds stay; later ones take each other's places. */
	uint32_t at = state.pool_count < POOL_MAX ? state.pool_count++ : state.seed_count + (uint32_t)below(POOL_MAX - state.seed_count);
	free(state.pool[at].data);
	state.pool[at] = (struct input){malloc(size + 1), size};
	memcpy(state.pool[at].data, data, size);
}

/* ---- mutations, in a buffer of INPUT_MAX */

static void put_interesting(struct input *input)
{
	static const uint32_t VALUES[] = {0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff};
	uint32_t value = below(4) ? VALUES[below(sizeof(VALUES) / sizeof(*VALUES))] : (uint32_t)(input->size + below(17) - 8);
	size_t width = (size_t)1 << below(3);
	if (input->size < width) return;
	size_t at = below(input->size - width + 1);
	if (below(2)) at &= ~(size_t)3;
	memcpy(input->data + at, &value, width);
}

static void remove_some(struct input *input)
{
	if (input->size == 0) return;
	size_t at = below(input->size), count = 1 + below(below(4) ? 8 : input->size - at);
	if (count > input->size - at) count = input->size - at;
	memmove(input->data + at, input->data + at + count, input->size - at - count);
	input->size -= count;
}

static void insert(struct input *input, const uint8_t *from, size_t count)
{
	size_t at = below(input->size + 1);
	if (input->size + count > INPUT_MAX) return;
	memmove(input->data + at + count, input->data + at, input->size - at);
	memcpy(input->data + at, from, count);
	input->size += count;
}

static void insert_some(struct input *input)
{
	uint8_t bytes[64];
	const struct input *other = &state.pool[below(state.pool_count)];
	size_t count = 1 + below(sizeof(bytes) - 1);
	if (below(2) && other->size > 0) {
		size_t at = below(other->size);
		insert(input, other->data + at, count < other->size - at ? count : other->size - at);
		return;
	}
	for (size_t i = 0; i < count; i++) bytes[i] = (uint8_t)next_random();
	insert(input, bytes, count);
}

/* Mostly little, and half of the time nothing that moves what follows: most inputs still reach what lies deep. */
static void mutate(struct input *input)
{
	size_t kinds = below(2) ? 4 : 6;
	for (size_t times = below(8) ? 1 + below(3) : 1 + below(24); times > 0; times--) {
		switch (below(kinds)) {
		case 0:
			if (input->size) input->data[below(input->size)] ^= (uint8_t)(1u << below(8));
			break;
		case 1:
			if (input->size) input->data[below(input->size)] = (uint8_t)next_random();
			break;
		case 2:
		case 3:
			put_interesting(input);
			break;
		case 4:
			remove_some(input);
			break;
		case 5:
			insert_some(input);
			break;
		}
	}
}

/* ---- runs */

/* On memory of just this size, so that one byte too far is seen. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *exact = malloc(size ? size : 1);
	memcpy(exact, data, size);
	state.present = (struct input){exact, size};
	fuzz_target.run(exact, size);
	state.present = (struct input){0};
	free(exact);
}

static void load_seeds(void)
{
	static uint8_t buffer[INPUT_MAX];
	for (uint32_t index = 0; index < POOL_MAX / 2; index++) {
		struct writer to = {buffer, 0, sizeof(buffer), false};
		if (!fuzz_target.seed(index, &to)) break;
		if (to.full) abort();
		add_to_pool(buffer, to.size);
		run(buffer, to.size);
	}
	if (state.pool_count == 0) add_to_pool((const uint8_t *)"", 0);
	state.seed_count = state.pool_count;
}

static int run_file(const char *path)
{
	static uint8_t buffer[INPUT_MAX];
	FILE *file = fopen(path, "r");
	if (!file) {
		perror(path);
		return 2;
	}
	run(buffer, fread(buffer, 1, sizeof(buffer), file));
	fclose(file);
	return 0;
}

static double seconds_now(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static uint8_t buffer[INPUT_MAX];
	unsigned long seed = 1, count = 100000, seconds = 10, done = 0;
	const char *file = NULL;

	for (int i = 1; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--seed") == 0) seed = strtoul(argv[i + 1], NULL, 0);
		if (strcmp(argv[i], "--count") == 0) count = strtoul(argv[i + 1], NULL, 0);
		if (strcmp(argv[i], "--seconds") == 0) seconds = strtoul(argv[i + 1], NULL, 0);
		if (strcmp(argv[i], "--file") == 0) file = argv[i + 1];
	}
	__sanitizer_set_death_callback(save_present);
	signal(SIGALRM, on_signal);
	signal(SIGABRT, on_signal);
	signal(SIGPIPE, SIG_IGN);
	if (file) return run_file(file);

	state.random = seed;
	load_seeds();
	for (double end = seconds_now() + (double)seconds; done < count && seconds_now() < end; done++) {
		const struct input *base = &state.pool[below(below(4) ? state.seed_count : state.pool_count)];
		struct input input = {buffer, base->size};
		memcpy(buffer, base->data, base->size);
		mutate(&input);
		if (done % 64 == 0) alarm(RUN_SECONDS_MAX);
		run(input.data, input.size);
		if (below(64) == 0) add_to_pool(input.data, input.size);
	}
	alarm(0);
	printf("fuzz %s: %lu inputs, seed %lu, nothing found\n", fuzz_target.name, done, seed);
	for (uint32_t i = 0; i < state.pool_count; i++) free(state.pool[i].data);
	return 0;
}
