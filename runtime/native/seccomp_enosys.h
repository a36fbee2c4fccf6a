/* System calls that are newer than a profile answer ENOSYS. */
#pragma once
#include "seccomp_compile.h"

/* Puts the rule in front of a compiled filter; see seccomp_enosys.c. 0, or -errno with failure. */
int enosys_prepend(const struct msg_seccomp *profile, struct filter *filter, struct failure *failure);
