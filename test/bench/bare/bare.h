/* What a pod's start and end ask of the kernel, and nothing else.
 *
 *   bare NAME FOLDER ROUNDS
 *
 * NAME begins the name of everything that is made on the machine. FOLDER holds what a pod is made of:
 *
 *   pause/          root of the sandbox, with /pause
 *   layer/          the image's one layer, with /bin/sleep
 *   resolv.conf hosts hostname
 *   sandbox.filter  container.filter   struct sock_filter[]
 *   devices.program                    struct bpf_insn[], for cgroup v2
 *   containers/     writable layers are made here, and removed
 *
 * Every function answers 0, or a descriptor, or -errno after it has said on standard error what failed. */
#pragma once
#include <fcntl.h>
#include <linux/filter.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>
#include "stages.h"

#define HIERARCHIES_MAX 32
#define PATH_BYTES 512
#define LENGTH(array) (sizeof(array) / sizeof *(array))

struct hierarchy {
	char folder[128];
	char name[64]; /* of the folder: cpu,cpuacct */
	bool v2, cpu, cpuset, devices;
};

struct cgroups {
	struct hierarchy hierarchies[HIERARCHIES_MAX];
	size_t count;
	bool only_v2;
	char controllers[256]; /* only_v2: as cgroup.subtree_control takes them */
};

struct program {
	void *data;
	size_t size;
};

struct bare {
	const char *name, *folder;
	int rounds;
	bool ipv6;
	struct cgroups cgroups;
	struct program sandbox_filter, container_filter, devices;
	struct laps *laps;
	int null;
	int own_network, own_pids, own_mounts;
};

/* A process that was made, and what it is a member of. -1: nothing. */
struct process {
	pid_t pid;
	int pidfd;
};

struct pod {
	char cgroup[PATH_BYTES], sandbox_cgroup[PATH_BYTES], container_cgroup[PATH_BYTES], layer[PATH_BYTES];
	struct process sandbox, container;
	int network, shared_memory;
};

/* Says "cannot WHAT OBJECT: why" and answers -errno. */
int complain(const char *what, const char *object);
void complain_to(int fd);

static inline void close_fd(int *fd)
{
	if (*fd >= 0) close(*fd);
	*fd = -1;
}

/* ---- cgroups.c */
int cgroups_detect(struct cgroups *cgroups);
/* In every hierarchy; its parent must be there. */
int cgroup_make(const struct cgroups *cgroups, const char *path);
/* v2: what is below gets all controllers. */
int cgroup_hand_down(const struct cgroups *cgroups, const char *path);
int cgroup_limit_cpu(const struct cgroups *cgroups, const char *path);
int cgroup_deny_devices(const struct cgroups *cgroups, const char *path, const struct program *program);
int cgroup_remove(const struct cgroups *cgroups, const char *path);
/* With all that is below and every process in it; nothing there is fine. */
int cgroup_remove_tree(const struct cgroups *cgroups, const char *path);

/* The descriptors by which a process becomes a member. */
struct membership {
	int v2;
	int tasks[HIERARCHIES_MAX];
	size_t count;
};
int membership_open(const struct cgroups *cgroups, const char *path, struct membership *membership);
/* By the process that is to be a member; of v2 it is one from its birth. */
int membership_enter(struct membership *membership);
void membership_close(struct membership *membership);

/* ---- network.c */
int bridge_make(const struct bare *bare);
/* The bridge and a veth pair that is still there; nothing there is fine. */
int links_remove(const struct bare *bare);
/* A new network namespace as a descriptor. */
int network_make(const struct bare *bare);
int veth_make(const struct bare *bare, int network);
int network_configure(const struct bare *bare, int network);
/* Nothing there is fine. */
int veth_remove(const struct bare *bare);
/* The kernel takes the pair away with the pod's namespace, a few milliseconds after that is left. Who asks for its end
 * before waits for all of that; Gantry's hook comes later, and so do we. */
int veth_await_end(const struct bare *bare);

/* ---- mounts.c */
struct file_system {
	const char *type, *path;
	unsigned int attributes;
	const char *options[4]; /* KEY=VALUE or KEY */
};
/* A detached mount. */
int file_system_make(const struct file_system *file_system);
/* The last step on the way to `path` below the root is made when it is missing: a folder, or a file. */
int mount_place(int mount, int root, const char *path, bool folder);
int file_systems_mount(int root, const struct file_system *file_systems, size_t count);
/* A copy of what is mounted at `path`. */
int mount_copy(int at, const char *path, bool recursive);
int mount_read_only(int mount, bool recursive);
int devices_make(int root);
/* `mount` becomes the root of the process; it is put over `place` for that. */
int root_place(int mount, const char *place);
int root_enter(int root);

/* ---- process.c */
struct birth {
	uint64_t namespaces;
	struct membership *membership;
	enum stage exec;
	int (*become)(struct bare *bare, struct pod *pod, struct membership *membership); /* returns only when it fails */
};
/* Returns when the new process has executed its program. */
int process_make(struct bare *bare, struct pod *pod, const struct birth *birth, struct process *process);
/* SIGKILL, and until it is reaped. */
int process_end(struct process *process);
/* What every new process does first. */
int process_begin(const struct bare *bare, struct membership *membership, int oom_score);
int become_root(void);
int capabilities_keep(uint64_t capabilities);
/* Before the filter, which may allow nothing more of the kind. */
int streams_leave(const struct bare *bare);
int filter_install(const struct program *filter);
int program_run(char *const argv[]);

/* ---- sandbox.c, container.c */
int sandbox_start(struct bare *bare, struct pod *pod);
int sandbox_end(struct bare *bare, struct pod *pod);
int container_start(struct bare *bare, struct pod *pod);
int container_end(struct bare *bare, struct pod *pod);

/* ---- files.c */
int file_read(const char *folder, const char *name, struct program *program);
int file_write(int at, const char *path, const char *text);
int tree_remove(const char *path);
