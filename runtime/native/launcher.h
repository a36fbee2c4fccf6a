/* The launcher: the only process that the daemon starts. Protocol on descriptor 3; it ends with the daemon. */
#pragma once
#include "conn.h"
#include "protocol.h"
#include "util.h"

#define LAUNCHER_FD 3

struct launcher {
	struct conn conn;     /* to the daemon */
	int executable;	      /* the sealed memfd that this process runs from */
	int children;	      /* signalfd for SIGCHLD */
	pid_t daemon;	      /* named in the message when a lock is held */
	struct job_slot *jobs; /* running jobs, linked */
	uint32_t job_count;
	uint8_t *buffer; /* CONN_READ_BYTES, shared by all connections */
};

/* Answers the exit status. */
int launcher_main(char **argv);

/* Runs this program from a sealed memfd, so that nothing that reaches /proc/PID/exe of a process of ours can
 * change what the next one executes. Answers the memfd once that is so; does not return when it has to exec. */
int self_exec_sealed(char **argv);

/* Requests that the launcher answers itself: 0, or < 0 with failure. */
int launcher_lock(struct launcher *launcher, const char *path, struct failure *failure);
int launcher_enter_cgroups(const struct list *cgroups, struct failure *failure);
/* Answers the pid of the shim. */
pid_t launcher_start_shim(const struct launcher *launcher, const struct msg_start_shim *request, struct failure *failure);

/* What every forked child does first: default signals, nothing blocked. */
void reset_signals(void);
