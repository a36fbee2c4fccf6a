/* One process per sandbox: parent of its processes, carries out launch plans, writes logs, keeps exit codes. */
#pragma once
#include <stdbool.h>

/* The listening socket is inherited as this descriptor. */
#define SHIM_LISTEN_FD 3

/* network: make a network namespace ahead, for the first container that wants a new one. Answers the exit status. */
int shim_main(const char *sandbox_id, bool network);
