/* Every message and every plan operation, decoded to the last element: the first four bytes say which. */
#include "fuzz.h"
#include "samples.h"
#include "walk.h"

#define AS_OPERATION 0x10000u

static void run(const uint8_t *data, size_t size)
{
	struct reader reader = {data, data + size, false};
	uint32_t code;
	if (!get_u32(&reader, &code)) return;
	if (code & AS_OPERATION)
		walk_arguments(code & 0xffff, &reader);
	else
		walk_message((uint16_t)code, &reader);
	FUZZ_CHECK(reader.at <= reader.end);
}

static void seed_plan(struct writer *to)
{
	static struct sample_list argv, env, hooks, plan;
	uint8_t arguments[2048];
	struct writer writer = {arguments, 0, sizeof(arguments), false};
	sample_begin(&argv);
	sample_add_str(&argv, "/bin/sh");
	sample_add_str(&argv, "-c");
	sample_begin(&env);
	sample_add_str(&env, "PATH=/bin");
	sample_begin(&hooks);
	SAMPLE_ADD(&hooks, hook, {.path = "/hook", .args = sample_end(&argv), .env = sample_end(&env), .timeout_ms = 5});
	sample_begin(&plan);
	struct op_hooks run_hooks = {.phase = HOOK_POSTSTOP, .hooks = sample_end(&hooks), .state_head = "{\"pid\":", .state_tail = "}"};
	op_hooks_encode(&writer, &run_hooks);
	SAMPLE_ADD(&plan, op, {.code = OP_HOOKS, .args = {arguments, (uint32_t)writer.size}});
	writer.size = 0;
	struct op_exec execute = {.argv = sample_end(&argv), .env = sample_end(&env)};
	op_exec_encode(&writer, &execute);
	SAMPLE_ADD(&plan, op, {.code = OP_EXEC, .args = {arguments, (uint32_t)writer.size}});
	struct msg_create create = {.id = "abc", .folder = "/run/x", .log_path = "", .log_line_max = 16384, .plan = sample_end(&plan)};
	put_u32(to, MSG_CREATE);
	msg_create_encode(to, &create);
}

/* A payload of zeros is a well-formed one of empty strings and lists for most messages. */
static bool seed(uint32_t index, struct writer *to)
{
	static const uint8_t ZEROS[160];
	if (index == 0) {
		seed_plan(to);
		return true;
	}
	/* Every code of both tables is below 80. */
	uint32_t code = (index - 1) / 2;
	if (code > 80) return false;
	put_u32(to, code | (index % 2 ? AS_OPERATION : 0));
	put_raw(to, ZEROS, sizeof(ZEROS));
	return true;
}

const struct fuzz_target fuzz_target = {"messages", seed, run};
