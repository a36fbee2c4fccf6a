/* Sockets in another network namespace. */
#pragma once
#include "util.h"

struct loopback_sockets {
	int v4, v6; /* TCP, non-blocking, not connected; -1: the kernel has no such family */
};

/* Makes them in the network namespace of a process. 0, or -errno with both -1. */
int sockets_in_namespace_of(int pidfd, struct loopback_sockets *made, struct failure *failure);
