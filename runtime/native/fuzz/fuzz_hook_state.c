/* The scan for the pid: any bytes as the state, and any bytes inside a string of a state whose pid is known. */
#include <errno.h>
#include <stdio.h>
#include "../hook_state.h"
#include "fuzz.h"

static void put_escaped(struct writer *to, const uint8_t *data, size_t size)
{
	char code[8];
	for (size_t i = 0; i < size; i++) {
		if (data[i] == '"' || data[i] == '\\')
			put_raw(to, "\\", 1), put_raw(to, &data[i], 1);
		else if (data[i] < 0x20)
			put_raw(to, code, (size_t)snprintf(code, sizeof(code), "\\u%04x", data[i]));
		else
			put_raw(to, &data[i], 1);
	}
}

/* Nothing that stands in a string, as a value or as a key, changes what is found. */
static void run_inside_strings(const uint8_t *data, size_t size)
{
	static char text[512 * 1024];
	struct writer to = {(uint8_t *)text, 0, sizeof(text), false};
	static const char HEAD[] = "{\"id\":\"", MIDDLE[] = "\",\"annotations\":{\"", NEXT[] = "\":\"", TAIL[] = "\"}, \"pid\" : 4711 }";
	put_raw(&to, HEAD, sizeof(HEAD) - 1);
	put_escaped(&to, data, size);
	put_raw(&to, MIDDLE, sizeof(MIDDLE) - 1);
	put_escaped(&to, data, size);
	put_raw(&to, NEXT, sizeof(NEXT) - 1);
	put_escaped(&to, data, size);
	put_raw(&to, TAIL, sizeof(TAIL) - 1);
	if (!to.full) FUZZ_CHECK(hook_state_pid(text, to.size) == 4711);
}

static void run(const uint8_t *data, size_t size)
{
	pid_t pid = hook_state_pid((const char *)data, size);
	FUZZ_CHECK(pid == -EINVAL || (pid >= 0 && pid <= 1000000009));
	run_inside_strings(data, size);
}

static bool seed(uint32_t index, struct writer *to)
{
	static const char *const STATES[] = {
		"{\"ociVersion\":\"1.2.0\",\"id\":\"x\",\"status\":\"created\",\"pid\":123,\"bundle\":\"/b\",\"annotations\":{\"a\":\"b\\\"c\\\\\"}}",
		"{\"annotations\":{\"pid\":\"1\",\"x\":[1,2,{\"pid\":3}]},\"pid\":4}",
		"\",\"pid\":1,\"",
		"\\\",\\\"pid\\\":1",
		"{}",
		" {\n\t\"pid\" : 0 , \"a\" : null , \"b\" : [ ] }\n",
	};
	if (index >= sizeof(STATES) / sizeof(*STATES)) return false;
	put_raw(to, STATES[index], strlen(STATES[index]));
	return true;
}

const struct fuzz_target fuzz_target = {"hook_state", seed, run};
