/* What a harness gives to driver.c. */
#pragma once
#include <stddef.h>
#include <stdint.h>
#include "../protocol.h"

struct fuzz_target {
	const char *name;
	/* Encodes the index-th seed; false when there is none. */
	bool (*seed)(uint32_t index, struct writer *to);
	/* Must neither crash nor abort, whatever the bytes. They end where the allocation ends. */
	void (*run)(const uint8_t *data, size_t size);
};

extern const struct fuzz_target fuzz_target;

/* Ends the program with a reproducer when a property does not hold. */
#define FUZZ_CHECK(condition)      \
	do {                         \
		if (!(condition)) fuzz_failed(#condition, __FILE__, __LINE__); \
	} while (0)
_Noreturn void fuzz_failed(const char *condition, const char *file, int line);
