/* Seccomp profiles to BPF, by libseccomp. */
#pragma once
#include <linux/filter.h>
#include "protocol.h"
#include "util.h"

struct filter {
	struct sock_filter *instructions; /* free with filter_free */
	size_t count;
};

/* Compiles a profile, with the rule of enosys_prepend in front. 0, or -errno with failure. */
int seccomp_compile(const struct msg_seccomp *profile, struct filter *filter, struct failure *failure);
/* The error for more instructions than the kernel takes. */
int filter_too_large(size_t count, struct failure *failure);
void filter_free(struct filter *filter);
