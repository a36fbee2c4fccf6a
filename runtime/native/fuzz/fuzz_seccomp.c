/* A SECCOMP payload through libseccomp. What is compiled must be a filter that ends in bounds. */
#include <linux/seccomp.h>
#include <seccomp.h>
#include "../seccomp_compile.h"
#include "fuzz.h"
#include "samples.h"
#include "walk.h"

/* Every jump leads forward to an instruction, and the last one returns: what the kernel checks too. */
static void check(const struct filter *filter)
{
	FUZZ_CHECK(filter->count > 0 && filter->count <= BPF_MAXINSNS);
	for (size_t i = 0; i < filter->count; i++) {
		const struct sock_filter *at = &filter->instructions[i];
		if (BPF_CLASS(at->code) != BPF_JMP) continue;
		size_t furthest = BPF_OP(at->code) == BPF_JA ? at->k : at->jt > at->jf ? at->jt : at->jf;
		FUZZ_CHECK(i + 1 + furthest < filter->count);
	}
	FUZZ_CHECK(BPF_CLASS(filter->instructions[filter->count - 1].code) == BPF_RET);
}

static void run(const uint8_t *data, size_t size)
{
	struct msg_seccomp profile;
	struct filter filter;
	struct failure failure = {0};
	struct reader walked = {data, data + size, false}, reader = walked;
	walk_msg_seccomp(&walked);
	if (!msg_seccomp_decode(&reader, &profile)) return;
	if (seccomp_compile(&profile, &filter, &failure) < 0) {
		FUZZ_CHECK(failure.err > 0 && *failure.detail);
		return;
	}
	check(&filter);
	filter_free(&filter);
}

static bool seed(uint32_t index, struct writer *to)
{
	static struct sample_list arches, names, args, rules;
	static const uint32_t ARCHES[] = {SCMP_ARCH_X86_64, SCMP_ARCH_X86, SCMP_ARCH_X32, SCMP_ARCH_AARCH64, SCMP_ARCH_ARM};
	if (index > 5) return false;
	sample_begin(&arches);
	sample_begin(&names);
	sample_begin(&args);
	sample_begin(&rules);
	for (uint32_t i = 0; i < index && i < 5; i++) sample_add_u32(&arches, ARCHES[i]);
	sample_add_str(&names, "read");
	sample_add_str(&names, "personality");
	sample_add_str(&names, "clone3");
	for (uint32_t i = 0; i < index; i++) SAMPLE_ADD(&args, seccomp_arg, {.index = i % 3, .op = 1 + i, .value = 8, .value_two = 1});
	SAMPLE_ADD(&rules, seccomp_rule, {.action = SECCOMP_RET_ALLOW, .syscalls = sample_end(&names), .args = sample_end(&args)});
	SAMPLE_ADD(&rules, seccomp_rule, {.action = SECCOMP_RET_ERRNO, .errno_ret = 38, .syscalls = sample_end(&names)});
	struct msg_seccomp profile = {
		.default_action = SECCOMP_RET_ERRNO, .default_errno = 1, .arches = sample_end(&arches), .rules = sample_end(&rules)};
	msg_seccomp_encode(to, &profile);
	return true;
}

const struct fuzz_target fuzz_target = {"seccomp", seed, run};
