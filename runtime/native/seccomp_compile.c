#include "seccomp_compile.h"
#include <stdarg.h>
#include <stdio.h>
#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include "seccomp_enosys.h"

#define ARGS_MAX 6

void filter_free(struct filter *filter)
{
	free(filter->instructions);
	*filter = (struct filter){0};
}

static void release(scmp_filter_ctx *context)
{
	if (*context) seccomp_release(*context);
}

/* SECCOMP_RET_* and SCMP_ACT_* are the same numbers; data (an errno, a tracer's message) lies in the low half. */
static bool action_of(uint32_t action, uint32_t data, uint32_t *out)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_TRACE:
		*out = (action & SECCOMP_RET_ACTION_FULL) | (data & SECCOMP_RET_DATA);
		return true;
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
	case SECCOMP_RET_TRAP:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_USER_NOTIF:
		*out = action & SECCOMP_RET_ACTION_FULL;
		return true;
	default:
		return false;
	}
}

static int bad_request(struct failure *failure) { return fail(failure, EBADMSG, "the profile's fields cannot be read"); }

static int add_arches(scmp_filter_ctx context, const struct list *arches, struct failure *failure)
{
	struct reader items = arches->items;
	for (uint32_t i = 0; i < arches->count; i++) {
		uint32_t arch;
		if (!get_u32(&items, &arch)) return bad_request(failure);
		int result = seccomp_arch_add(context, arch);
		if (result < 0 && result != -EEXIST)
			return fail(failure, -result, "libseccomp cannot add the architecture 0x%08x to the filter", arch);
	}
	return 0;
}

struct rule {
	uint32_t action;
	struct scmp_arg_cmp args[ARGS_MAX * 2];
	uint32_t arg_count;
	bool argument_twice; /* one argument is compared more than once */
};

static int decode_args(const struct list *list, struct rule *rule, struct failure *failure)
{
	struct reader items = list->items;
	bool seen[ARGS_MAX] = {false};

	if (list->count > LENGTH(rule->args)) return fail(failure, EINVAL, "a rule of the profile has %u argument conditions", list->count);
	for (rule->arg_count = 0; rule->arg_count < list->count; rule->arg_count++) {
		struct seccomp_arg arg;
		if (!seccomp_arg_decode(&items, &arg)) return bad_request(failure);
		if (arg.index >= ARGS_MAX) return fail(failure, EINVAL, "a system call has no argument %u", arg.index);
		if (arg.op <= _SCMP_CMP_MIN || arg.op >= _SCMP_CMP_MAX)
			return fail(failure, EINVAL, "%u is no comparison of libseccomp", arg.op);
		rule->argument_twice |= seen[arg.index];
		seen[arg.index] = true;
		/* MASKED_EQ: value is the mask, value_two what remains; the others use value alone. */
		rule->args[rule->arg_count] = (struct scmp_arg_cmp){arg.index, (enum scmp_compare)arg.op, arg.value, arg.value_two};
	}
	return 0;
}

static int add_call(scmp_filter_ctx context, const struct rule *rule, int number)
{
	/* libseccomp refuses two conditions on one argument. Each becomes a rule of its own then, of which any one is
	 * enough: that is how every runtime reads such a profile. */
	for (uint32_t i = 0; rule->argument_twice && i < rule->arg_count; i++) {
		int result = seccomp_rule_add_array(context, rule->action, number, 1, &rule->args[i]);
		if (result < 0 && result != -EEXIST) return result;
	}
	if (rule->argument_twice) return 0;
	int result = seccomp_rule_add_array(context, rule->action, number, rule->arg_count, rule->args);
	return result == -EEXIST ? 0 : result;
}

static int add_rule(scmp_filter_ctx context, const struct seccomp_rule *from, uint32_t default_action, struct failure *failure)
{
	struct rule rule = {0};
	struct reader names = from->syscalls.items;

	if (!action_of(from->action, from->errno_ret, &rule.action))
		return fail(failure, EINVAL, "0x%08x is no seccomp action", from->action);
	/* Says nothing new, and libseccomp answers EACCES to it. */
	if (rule.action == default_action) return 0;
	int result = decode_args(&from->args, &rule, failure);
	for (uint32_t i = 0; result == 0 && i < from->syscalls.count; i++) {
		const char *name;
		if (!get_str(&names, &name)) return bad_request(failure);
		/* Native numbers: libseccomp translates them for every other architecture of the filter. */
		int number = seccomp_syscall_resolve_name(name);
		if (number == __NR_SCMP_ERROR) continue;
		int added = add_call(context, &rule, number);
		if (added < 0) result = fail(failure, -added, "libseccomp cannot add the rule for %s", name);
	}
	return result;
}

static int add_rules(scmp_filter_ctx context, const struct list *rules, uint32_t default_action, struct failure *failure)
{
	struct reader items = rules->items;
	for (uint32_t i = 0; i < rules->count; i++) {
		struct seccomp_rule rule;
		if (!seccomp_rule_decode(&items, &rule)) return bad_request(failure);
		int result = add_rule(context, &rule, default_action, failure);
		if (result < 0) return result;
	}
	return 0;
}

static int set_attributes(scmp_filter_ctx context, struct failure *failure)
{
	/* The plan has an operation of its own for no-new-privileges. */
	int result = seccomp_attr_set(context, SCMP_FLTATR_CTL_NNP, 0);
	if (result < 0) return fail(failure, -result, "libseccomp cannot switch off no-new-privileges");
	/* A binary tree: about 9 comparisons a call instead of hundreds. Libraries before 2.5 do not have it. */
	seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	return 0;
}

static int export_filter(scmp_filter_ctx context, struct filter *filter, struct failure *failure)
{
	struct stat status;
	AUTO_CLOSE int memory = memfd_create("seccomp", MFD_CLOEXEC);
	if (memory < 0) return fail(failure, errno, "cannot make a memfd for the filter");
	int result = seccomp_export_bpf(context, memory);
	if (result < 0) return fail(failure, -result, "libseccomp cannot make the filter");
	if (fstat(memory, &status) < 0 || status.st_size % (off_t)sizeof(struct sock_filter) != 0 || status.st_size == 0)
		return fail(failure, EIO, "libseccomp made a filter of %lld bytes", (long long)status.st_size);
	filter->instructions = malloc((size_t)status.st_size);
	if (!filter->instructions) return fail(failure, ENOMEM, "no memory for the seccomp filter");
	if (pread(memory, filter->instructions, (size_t)status.st_size, 0) != status.st_size)
		return fail(failure, EIO, "cannot read the filter back");
	filter->count = (size_t)status.st_size / sizeof(struct sock_filter);
	return 0;
}

int filter_too_large(size_t count, struct failure *failure)
{
	return fail(failure, E2BIG, "it makes a filter of %zu instructions, and the kernel takes %d", count, BPF_MAXINSNS);
}

int seccomp_compile(const struct msg_seccomp *profile, struct filter *filter, struct failure *failure)
{
	uint32_t default_action;
	*filter = (struct filter){0};
	if (!action_of(profile->default_action, profile->default_errno, &default_action))
		return fail(failure, EINVAL, "0x%08x is no seccomp action", profile->default_action);
	__attribute__((cleanup(release))) scmp_filter_ctx context = seccomp_init(default_action);
	if (!context) return fail(failure, ENOMEM, "libseccomp cannot begin a filter with the default action 0x%08x", default_action);

	int result = set_attributes(context, failure);
	if (result == 0) result = add_arches(context, &profile->arches, failure);
	if (result == 0) result = add_rules(context, &profile->rules, default_action, failure);
	if (result == 0) result = export_filter(context, filter, failure);
	if (result == 0) result = enosys_prepend(profile, filter, failure);
	if (result == 0 && filter->count > BPF_MAXINSNS) result = filter_too_large(filter->count, failure);
	if (result < 0) filter_free(filter);
	return result;
}

#ifndef __GLIBC__
/* Distributions build libseccomp.a against glibc; what it writes a filter as text with, which we never ask for, is not in musl. */
int __fprintf_chk(FILE *file, int flag, const char *format, ...);
int __fprintf_chk(FILE *file, int flag, const char *format, ...)
{
	(void)flag;
	va_list arguments;
	va_start(arguments, format);
	int result = vfprintf(file, format, arguments);
	va_end(arguments);
	return result;
}
#endif
