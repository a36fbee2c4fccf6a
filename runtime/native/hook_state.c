/* Not a JSON parser, but a scan that cannot be fooled by what stands in the state beside the pid: everything that
 * others put there (annotation keys and values, the bundle's path) is inside of JSON strings, in which every
 * quote and backslash is escaped. The scan takes strings as a whole by exactly that rule, so no byte of a string is
 * ever read as structure; it counts braces and brackets outside of strings; and it accepts "pid" only where a key
 * of the outermost object stands: right after its `{` or after a `,` at depth one. */
#include "hook_state.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>

struct scan {
	const char *at, *end;
};

static void skip_space(struct scan *scan)
{
	while (scan->at < scan->end && memchr(" \t\r\n", *scan->at, 4)) scan->at++;
}

static bool next_is(const struct scan *scan, char wanted) { return scan->at < scan->end && *scan->at == wanted; }

/* At a quote: goes behind the closing one, and tells what was between. False when the string does not end. */
static bool take_string(struct scan *scan, const char **text, size_t *size)
{
	*text = ++scan->at;
	for (; scan->at < scan->end; scan->at++) {
		if (*scan->at == '\\') {
			scan->at++;
		} else if (*scan->at == '"') {
			*size = (size_t)(scan->at++ - *text);
			return true;
		}
	}
	return false;
}

static pid_t take_pid(struct scan *scan)
{
	pid_t pid = 0;
	const char *began = scan->at;
	while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9' && pid <= 100000000) pid = pid * 10 + (*scan->at++ - '0');
	if (scan->at == began || (*began == '0' && scan->at > began + 1)) return -EINVAL;
	skip_space(scan);
	return next_is(scan, ',') || next_is(scan, '}') ? pid : -EINVAL;
}

/* At the quote of a key of the outermost object: behind its colon, and whether it is "pid". -1 when it is no key. */
static int take_key(struct scan *scan)
{
	const char *text;
	size_t size;
	if (!next_is(scan, '"') || !take_string(scan, &text, &size)) return -1;
	skip_space(scan);
	if (!next_is(scan, ':')) return -1;
	scan->at++;
	skip_space(scan);
	return size == 3 && memcmp(text, "pid", 3) == 0;
}

/* Goes behind a value, whatever it is: to the `,` or `}` at depth one that ends it. */
static bool skip_value(struct scan *scan)
{
	int depth = 0;
	for (; scan->at < scan->end; scan->at++) {
		const char *text;
		size_t size;
		switch (*scan->at) {
		case '"':
			if (!take_string(scan, &text, &size)) return false;
			scan->at--;
			break;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (depth-- == 0) return *scan->at == '}';
			break;
		case ',':
			if (depth == 0) return true;
			break;
		}
	}
	return false;
}

pid_t hook_state_pid(const char *json, size_t size)
{
	struct scan scan = {json, json + size};
	pid_t pid = -1;

	skip_space(&scan);
	if (!next_is(&scan, '{')) return -EINVAL;
	scan.at++;
	skip_space(&scan);
	bool more = !next_is(&scan, '}');
	while (more) {
		skip_space(&scan);
		int is_pid = take_key(&scan);
		if (is_pid < 0 || (is_pid && pid >= 0)) return -EINVAL;
		if (is_pid && (pid = take_pid(&scan)) < 0) return -EINVAL;
		if (!skip_value(&scan)) return -EINVAL;
		more = next_is(&scan, ',');
		scan.at++;
	}
	return pid < 0 ? 0 : pid;
}
