/* A libc tries a new system call and falls back to an old one when the kernel answers ENOSYS. A profile that
 * lists what is allowed answers its default errno, mostly EPERM, to everything it has not heard of; a libc that
 * is newer than the profile then takes a system call that does not exist for one that is forbidden, and the
 * program fails. So a filter whose default is an errno gets this in front of it, one block per architecture:
 *
 *        ld   [arch]
 *   A:   jeq  #audit arch, next, B
 *        ld   [nr]
 *        jgt  #newest, next, filter       newest: the highest number that the profile names and libseccomp knows
 *        jge  #limit, filter, next        limit: numbers with a meaning of their own begin
 *        ret  ERRNO | ENOSYS
 *   B:   …                                the next architecture
 *   filter:
 *        what libseccomp made; it loads the architecture itself
 *
 * Numbers are given out in ascending order, so above the newest that the profile names are those that its author
 * could not know. Below it the profile decides alone. The rule only ever replaces one refusal by another: what
 * the filter allows is at or below `newest`.
 */
#include "seccomp_enosys.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>

#define BLOCK 5
#define ARCHES_MAX 16
/* The x32 calls of x86_64 carry this bit; libseccomp judges them. */
#define X32_BIT 0x40000000u
/* Calls that only ARM has (set_tls and its like) begin here. */
#define ARM_PRIVATE 0x0f0000u

struct newest {
	uint32_t audit_arch;
	uint32_t number;
	uint32_t limit;
};

static uint32_t limit_of(uint32_t arch)
{
	switch (arch) {
	case SCMP_ARCH_X86_64:
		return X32_BIT;
	case SCMP_ARCH_ARM:
		return ARM_PRIVATE;
	default:
		return UINT32_MAX; /* a tracer's -1: skip the call */
	}
}

/* Answers false when the profile names no call of this architecture. */
static bool newest_of(const struct msg_seccomp *profile, uint32_t arch, struct newest *newest)
{
	struct reader rules = profile->rules.items;
	uint32_t limit = limit_of(arch);
	int highest = -1;

	for (uint32_t i = 0; i < profile->rules.count; i++) {
		struct seccomp_rule rule;
		if (!seccomp_rule_decode(&rules, &rule)) return false;
		for (uint32_t k = 0; k < rule.syscalls.count; k++) {
			const char *name;
			if (!get_str(&rule.syscalls.items, &name)) return false;
			int number = seccomp_syscall_resolve_name_arch(arch, name);
			if (number > highest && (uint32_t)number < limit) highest = number;
		}
	}
	/* A token of libseccomp is the AUDIT_ARCH value; only x32 is its own invention. */
	*newest = (struct newest){arch, (uint32_t)highest, limit};
	return highest >= 0;
}

/* The architectures of the filter: the native one and those that the profile lists, each once. */
static size_t collect(const struct msg_seccomp *profile, struct newest found[ARCHES_MAX])
{
	struct reader arches = profile->arches.items;
	uint32_t arch = seccomp_arch_native();
	size_t count = 0;

	for (uint32_t i = 0; i <= profile->arches.count && count < ARCHES_MAX; i++) {
		bool seen = arch == SCMP_ARCH_X32 || arch == SCMP_ARCH_NATIVE;
		for (size_t k = 0; k < count; k++) seen |= found[k].audit_arch == arch;
		if (!seen && newest_of(profile, arch, &found[count])) count++;
		if (i < profile->arches.count && !get_u32(&arches, &arch)) break;
	}
	return count;
}

static void write_block(struct sock_filter *at, const struct newest *newest, size_t to_filter)
{
	/* to_filter counts from the end of this block; a jump counts from the instruction after it. */
	at[0] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, newest->audit_arch, 0, BLOCK - 1);
	at[1] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	at[2] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, newest->number, 0, (uint8_t)(to_filter + 2));
	at[3] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, newest->limit, (uint8_t)(to_filter + 1), 0);
	at[4] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
}

int enosys_prepend(const struct msg_seccomp *profile, struct filter *filter, struct failure *failure)
{
	struct newest found[ARCHES_MAX];
	if ((profile->default_action & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_ERRNO || profile->default_errno == ENOSYS) return 0;
	size_t arches = collect(profile, found);
	if (arches == 0) return 0;

	size_t head = 1 + arches * BLOCK;
	if (filter->count + head > BPF_MAXINSNS) return filter_too_large(filter->count + head, failure);
	struct sock_filter *joined = calloc(filter->count + head, sizeof(*joined));
	if (!joined) return fail(failure, ENOMEM, "no memory for the seccomp filter");
	joined[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	for (size_t i = 0; i < arches; i++)
		write_block(joined + 1 + i * BLOCK, &found[i], (arches - 1 - i) * BLOCK);
	memcpy(joined + head, filter->instructions, filter->count * sizeof(*joined));
	free(filter->instructions);
	*filter = (struct filter){joined, filter->count + head};
	return 0;
}
