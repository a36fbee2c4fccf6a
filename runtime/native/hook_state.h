/* The one thing that the hook wants from the OCI state on its stdin. */
#pragma once
#include <stddef.h>
#include <sys/types.h>

/* The value of the top-level "pid"; 0 when there is none; -EINVAL when the text is no JSON object, when "pid" is
 * no plain positive integer, or when it is there twice. */
pid_t hook_state_pid(const char *json, size_t size);
