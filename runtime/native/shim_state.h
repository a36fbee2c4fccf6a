/* The shim's own state.
 *
 * A shim's life:
 *
 *   launcher: fork, exec ──> listens ──> serves connections and reaps children ──> SHUTDOWN ──> end
 *                                          (with a daemon or without one)
 *
 * CREATE and START of one container:
 *
 *   daemon        shim                   creator               init
 *     | CREATE ---> | fork -----------------> |                  |
 *     |             |   (serves others)       | host operations  |
 *     |             |                         | spawn ---------> | joins, mounts, pivots …
 *     |             |                         | <--- asks, hooks |
 *     |             | <-- over the leash: a terminal's master -- |
 *     |             |                         | <------- CREATED | at wait_start, reads the leash
 *     |             | <--- SIGCHLD, exit 0 -- x                  |
 *     | <-- CREATED |                                            |
 *     | START ----> | --- GO over the leash -------------------> | startContainer hooks, filter …
 *     |             | <--- the leash closes at the exec -------- | execve
 *     | <-- STARTED |
 *     | <--- EXITED | <--- SIGCHLD ----------------------------- x  (exit record written first)
 *
 * init is the shim's child from birth (CLONE_PARENT), so its exit is never missed. What goes wrong on the way stands
 * in the shared report. Every change of a task's state happens in task_advance, from what was seen so far
 * (creator ended, init reaped, leash closed): the order in which the kernel tells of them does not matter.
 */
#pragma once
#include "conn.h"
#include "log.h"
#include "loop.h"
#include "plan.h"

struct shim;
struct process;
struct container;
struct exec;
struct forward;

/* A connection. */
struct client {
	struct source source;
	struct conn conn;
	struct client *next;
	struct shim *shim;
	bool subscribed;
	bool closing;		   /* close it when everything is sent */
	bool doomed;		   /* to be closed before the next wait: not at once, for its streams may be in use */
	bool turned_away;	   /* has the spare descriptor: nothing is done for it */
	bool gone;		   /* closed, to be freed before the next wait */
	struct exec *exec;	   /* the exec that it carries */
	struct forward *forward;   /* the connection to a port that it carries */
	struct process *process;   /* whose streams it has: of its exec, or attached */
	struct client *next_attached;
	bool wants_stdin, wants_stdout, wants_stderr;
	bool stdin_blocked;	   /* frames are not read while the process or port does not take what it was sent */
	struct timer stall;	   /* when a slow attached client is given up */
	uint64_t stall_total;	   /* conn.out_total when it began to be slow */
};

/* A request that is answered later. client NULL: nobody waits any more. */
struct request {
	struct client *client;
	uint32_t id;
};

/* One output of a process. */
struct output {
	struct source source;
	struct process *process;
	uint32_t stream; /* STREAM_* */
	bool paused;	 /* a reader is slow */
	struct log_stream log;
};

/* The standard streams of a container or an exec. */
struct process {
	struct shim *shim;
	struct output out, err; /* a terminal has out only */
	struct source in;	/* where stdin is written; fd -1: none */
	uint8_t *in_data;	/* what the process has not taken yet: [in_at, in_size) */
	size_t in_at, in_size;
	bool in_close;		/* after that, close it */
	bool has_stdin, stdin_once, terminal;
	struct log log;
	struct timer lost;	/* when the log is tried again that had no room */
	struct client *attached;
	void (*output_ended)(struct process *process);
};

/* The processes that carry out a plan, and what is known of them. */
struct task {
	struct process process;
	struct shared_report *report;
	struct source leash;	/* to init */
	bool leash_closed;
	pid_t creator;		/* 0: ended */
	int creator_status;
	pid_t pid;		/* init, once it is known */
	int pidfd;
	bool reaped;
	int status;		/* as waitpid tells */
	uint64_t exited_at_ns;
};

enum container_phase { CREATING, CREATED, STARTING, RUNNING, STOPPED };

struct container {
	struct container *next;
	struct task task;
	char *id, *folder;
	char *cgroup;		/* where its processes are found; NULL: unknown */
	bool cgroup_v2;
	bool waits_for_start;
	char *pid_file;		/* its process is restored, and its pid comes here; NULL: no */
	enum container_phase phase;
	struct request waiting; /* CREATE or START */
	uint64_t start_time, started_at_ns;
	uint32_t timings_told;
	struct bytes poststart;	/* the arguments of its poststart hooks, a copy; they run after START */
	pid_t worker;		/* poststart hooks or a teardown; 0: none */
	bool deleting;
	struct request delete_waiting;
	struct shared_report *worker_report;
	int worker_status;
	bool exit_told;
};

struct exec {
	struct exec *next;
	struct task task;
	char *id;
	char *cgroup;
	struct client *client;	/* NULL: gone */
	uint32_t request_id, flags, drain_ms;
	uint64_t timeout_ns;
	bool started, timed_out, drained;
	struct timer timeout, drain;
};

struct shim {
	struct loop loop;
	struct source listener, signals;
	int spare;	    /* a descriptor for a client that is turned away because there are no others */
	struct timer pause; /* of the listener */
	struct client *clients;
	struct container *containers;
	struct exec *execs;
	const char *sandbox_id;
	int network;	    /* a namespace made ahead, until the first container is made; -1: none */
	uint8_t *buffer; /* CONN_READ_BYTES, for every read */
	bool buffer_used, stopping;
};

/* ---- shim_streams.c */
void process_init(struct process *process, struct shim *shim);
/* Makes the pipes; the ends for the new process go to *theirs. */
int process_open(struct process *process, bool with_stdin, struct plan_streams *theirs, struct failure *failure);
int process_set_terminal(struct process *process, int master);
/* Starts to read its output. */
void process_listen(struct process *process);
/* After the process's end: reads what is there, at most a pipe or two, whether its readers have room or not. */
void process_drain(struct process *process);
bool process_is_quiet(const struct process *process); /* both outputs have ended */
void process_attach(struct process *process, struct client *client);
void process_detach(struct process *process, struct client *client);
/* A reader has room again. */
void process_resume(struct process *process);
void process_stdin(struct process *process, struct client *client, struct bytes data);
void process_close_stdin(struct process *process);
int process_resize(struct process *process, uint32_t columns, uint32_t rows);
void process_close(struct process *process);

/* ---- shim_task.c */
/* Makes the leash and forks the creator. theirs: the streams; closed here. */
int task_start(struct shim *shim, struct task *task, const struct list *plan, struct plan_streams theirs, struct failure *failure);
/* The creator has ended and init is known. False: it failed. */
bool task_created(struct task *task);
void task_watch_leash(struct shim *shim, struct task *task);
void task_read_leash(struct task *task);
void task_close(struct task *task);
int exit_code_of(int status); /* 128 + signal when one ended it */
int signal_of(int status);

/* ---- shim_containers.c, shim_delete.c, shim_kill.c */
struct container *container_find(const struct shim *shim, const char *id);
int container_create(struct shim *shim, struct client *client, const struct frame *frame);
int container_start(struct shim *shim, struct client *client, const struct frame *frame);
int container_kill(struct shim *shim, struct client *client, const struct frame *frame);
int container_delete(struct shim *shim, struct client *client, const struct frame *frame);
void container_advance(struct shim *shim, struct container *container);
void container_free(struct shim *shim, struct container *container);
void container_tell_exit(struct shim *shim, struct container *container);
int container_pidfd(const void *shim, const char *id);
uint32_t container_state(const struct container *container);
/* Forks a worker that keeps one descriptor (-1: none). In the child it answers 0, in the shim the pid, or -errno. */
pid_t fork_worker(int keep);
void delete_advance(struct shim *shim, struct container *container);
/* Signals every process of a container's cgroup and below. */
int kill_all(const struct container *container, int signal);
/* SIGKILL to a process, its group, its session and its descendants, as far as the cgroup shows them. */
void kill_tree(const char *cgroup, pid_t pid);
/* Writes folder/exit. */
int write_exit_record(const struct container *container);

/* ---- shim_restore.c */
struct op;
void remember_restore(struct container *container, const struct op *op);
/* The program that restores has ended: its work becomes the container's process. False: it failed, the report says how. */
bool restore_adopt(struct container *container);

/* ---- shim_exec.c */
int exec_start(struct shim *shim, struct client *client, const struct frame *frame);
void exec_advance(struct shim *shim, struct exec *exec);
void exec_client_gone(struct shim *shim, struct exec *exec);

/* ---- shim_forward.c */
int forward_start(struct shim *shim, struct client *client, const struct frame *frame);
/* STDIN and CLOSE_STDIN. */
int forward_take(struct forward *forward, const struct frame *frame);
/* Its client has room again. */
void forward_resume(struct forward *forward);
/* Its client has gone. */
void forward_close(struct forward *forward);
/* A container has ended: nothing keeps its network namespace any longer. */
void forwards_end(struct shim *shim, const char *container);

/* ---- shim_listen.c */
void clients_accept(struct source *source, uint32_t events);
/* A client that was turned away has given its descriptor back. */
void listen_again(struct shim *shim);

/* ---- shim_clients.c */
/* False: no memory. */
bool client_add(struct shim *shim, int fd, bool turned_away);
void client_close(struct client *client);
void clients_sweep(struct shim *shim); /* frees those that are gone */
/* After anything was sent to it: waits for room when needed. */
void client_sent(struct client *client);
void client_finish(struct client *client); /* closes it once everything is sent */
void client_update(struct client *client);
/* A connection carries one exec, attach or forward. */
static inline bool client_has_streams(const struct client *client) { return client->exec || client->process || client->forward; }
int refuse(struct client *client, uint32_t request_id, int err, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* ---- shim_reap.c */
void reap(struct shim *shim);
