/* What the files of the plan executor share.
 *
 * Who carries out what (each line is a process):
 *
 *   creator   forked by the shim; host namespaces: cgroups, folders, `spawn`, then serves init until CREATE is answered
 *   stage     only when a user namespace is joined, or a new one is made beside joined namespaces: joins, makes init, ends
 *   init      becomes the container: everything after `spawn`
 *
 * init asks the creator over `link` (SOCK_SEQPACKET) for what needs the host's side, and waits for the answer:
 *
 *   creator                                   init
 *      | ------------- GO -------------------> |   it is in its cgroups, its id maps are written
 *      | <------------ ASK(step) ------------- |   hooks of the runtime's namespace, pins, a mount's source
 *      | ------------- result [+ fd] --------> |
 *      | <------------ CREATED --------------- |   at wait_start; the creator ends, CREATE is answered
 *                                shim --GO---> |   over the leash, at START
 */
#pragma once
#include "plan.h"

enum link_kind { LINK_GO = 1, LINK_ASK, LINK_ANSWER, LINK_CREATED, LINK_STAGED };
struct link_message {
	uint32_t kind;
	uint32_t step;	/* ASK */
	int32_t result; /* ANSWER */
};

struct plan {
	struct list ops;
	struct shared_report *report;
	struct plan_world world;
	int leash;	/* init's end of the socket to the shim */

	uint32_t step; /* being carried out */
	bool at_once;  /* what would have to wait fails */
	int link;	/* to the other process */
	int proc;	/* the host's procfs, opened before anything was mounted */

	/* creator */
	int init_pidfd;
	bool network_ahead;  /* init joins the network namespace of `world`, for which it has asked to be new */
	int mount_namespace; /* its own, to return to */
	int *v1_cgroups;     /* the `tasks` files of the cgroups to join; init or the stage writes to them */
	size_t v1_cgroup_count;

	/* init */
	int root;	      /* the root of the container, once there is one */
	bool user_namespace; /* in another one than the host's: sources and devices come from the creator */
	bool filtered;	      /* a seccomp filter is on: no system call without need */
	bool umask_set;
	int null_mount, empty_mount; /* what hides a file, a folder: made once, placed, then copied */
	bool null_placed, empty_placed;
	int map_namespace; /* a user namespace with the maps of the last idmapped mount */
	struct list map_namespace_uids, map_namespace_gids;
};

/* ---- plan.c */
void plan_init(struct plan *plan, const struct list *ops, struct shared_report *report);
bool plan_next(struct reader *ops, struct op *op);
/* Calls `run` for one operation and keeps its time and failure in the report. 0 or -errno. */
typedef int (*op_runner)(struct plan *plan, const struct op *op, struct failure *failure);
int plan_step(struct plan *plan, uint32_t index, const struct op *op, op_runner run);
#define DECODE(name, arguments)                                                                                                   \
	struct op_##name arguments;                                                                                               \
	struct reader reader_ = {op->args.data, op->args.data + op->args.size, false};                                           \
	if (!op_##name##_decode(&reader_, &arguments)) return fail(failure, EPROTO, "the arguments of " #name " cannot be read")

/* ---- plan_host.c: operations of the host's side */
int run_host_op(struct plan *plan, const struct op *op, struct failure *failure);
int op_cgroup_make_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_cgroup_devices_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_cgroup_kill_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_cgroup_remove_run(struct plan *plan, const struct op *op, struct failure *failure);
/* pid: what stands in the state; collect: failures go to report->hook_error instead of failing. */
int run_hooks(struct plan *plan, const struct op *op, pid_t pid, bool collect, struct failure *failure);

/* ---- plan_spawn.c, plan_join.c */
int spawn(struct plan *plan, const struct op *op, struct failure *failure);
/* Joins everything of the list but the types in `without`. The user namespace comes last: the host's rights are needed for the others. */
int join_namespaces(struct plan *plan, const struct list *joins, uint32_t without, struct failure *failure);
uint32_t joined_types(const struct list *joins);
/* The calling process becomes a member of the v1 groups of the list. */
int enter_v1_cgroups(struct plan *plan, const struct list *cgroups, struct failure *failure);
int write_id_maps(pid_t pid, const struct list *uid_map, const struct list *gid_map, struct failure *failure);
/* init's first function after its namespaces exist; never returns. */
_Noreturn void init_main(struct plan *plan, const struct op_spawn *spawn, uint32_t joins_left, uint32_t first_step);

/* ---- plan_link.c */
int link_send(int link, enum link_kind kind, uint32_t step, int result, int fd);
/* 0: got one of `kind`; -ECONNRESET: the other side is gone. */
int link_wait(int link, enum link_kind kind, struct link_message *message, int *fd);
/* init's side: asks the creator to carry out this step; *fd (may be NULL) is what comes back. */
int ask_creator(struct plan *plan, int *fd, struct failure *failure);

/* ---- plan_inside.c: operations after spawn */
/* Gives up every descriptor but the sockets: before anything of the image is executed. */
void close_host_side(struct plan *plan);
int run_inside_op(struct plan *plan, const struct op *op, struct failure *failure);

/* ---- plan_root.c, plan_mounts.c, plan_bind.c, plan_hide.c, plan_device.c */
int op_propagation_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_root_overlay_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_root_bind_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_root_idmap_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_pivot_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_root_readonly_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_root_propagation_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_mount_fs_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_mount_image_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_mount_bind_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_make_folder_in_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_make_symlink_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_make_device_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_mask_path_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_readonly_path_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_terminal_run(struct plan *plan, const struct op *op, struct failure *failure);
/* A detached mount, made with the host's rights: by the creator when init is in a user namespace or says `ask`, else by init itself. */
int make_source(struct plan *plan, const struct op *op, bool ask, int *fd, struct failure *failure);
/* The same, for the creator that was asked. */
int make_source_here(struct plan *plan, const struct op *op, int *fd, struct failure *failure);
/* The host's /dev/null, checked to be it, as a detached mount. Read-only: that hinders no write to the device, but keeps
 * root in a container from changing the mode of the node that the whole host uses. */
int copy_null(struct failure *failure);
/* Keeps the host's /dev/null, checked to be it, as a detached mount: after the pivot it is out of reach. */
int keep_null(struct plan *plan, struct failure *failure);
int image_source(struct plan *plan, const struct op *op, int *fd, struct failure *failure);
int overlay_source(struct plan *plan, const struct op *op, int *fd, struct failure *failure);
/* ---- plan_layers.c; of the creator alone */
/* maps NULL: none. */
int placed_overlay(struct plan *plan, const struct op_root_overlay *overlay, const struct op_root_idmap *maps, const char *sub_path, int *fd,
		   struct failure *failure);
int root_bind_source(struct plan *plan, const struct op *op, int *fd, struct failure *failure);
int bind_source(struct plan *plan, const struct op *op, int *fd, struct failure *failure);
int device_source(struct plan *plan, const struct op *op, int *fd, struct failure *failure);
int idmap_mount(struct plan *plan, int mount, const struct list *uid_map, const struct list *gid_map, bool recursive, struct failure *failure);
uint64_t mount_attributes(uint64_t flags); /* MS_* to MOUNT_ATTR_* */
/* The name of a flag that belongs to a whole file system and not to one mount of it; NULL when there is none. */
const char *superblock_flag(uint64_t flags);
/* The next of mount options between commas, as mount(8) reads them: what stands in quotes keeps its commas, for a label
 * has some (context="u:r:t:s0:c1,c2"); the quotes are taken away. NULL after the last one. */
char *next_option(char **rest);
/* A new file system as a detached mount. */
int make_file_system(const char *type, const char *source, uint64_t flags, const char *data, struct failure *failure);
/* A mount's target in the root, made when missing. type: of the file system, or "bind". */
int open_target(struct plan *plan, const char *type, const char *path, bool folder, struct failure *failure);
struct mount_attr;
int change_mount(int mount, bool recursive, struct mount_attr *attributes);
int set_propagation(int mount, uint64_t flags, struct failure *failure, const char *path);
/* What the creator copies in the host's namespace is still a peer of the host's mount: what is mounted below it in the
 * container would appear on the host. (init's copies are slaves already, for its whole namespace is.) */
int keep_from_host(int mount, struct failure *failure, const char *path);
/* Puts a detached mount over an O_PATH descriptor. */
int attach_mount(int mount, int target);
/* What the kernel said about a file system context, for the detail; "" when nothing. */
const char *kernel_message(int context, char *buffer, size_t size);

/* ---- plan_paths.c: inside the root */
int root_of(struct plan *plan, struct failure *failure);
/* O_PATH descriptor of a folder, made with its parents when missing. */
int folder_in_root(int root, const char *path, mode_t mode);
/* O_PATH descriptor of a mount's target, made as a folder or an empty file when missing. */
int target_in_root(int root, const char *path, bool folder, bool no_symlinks);
/* The folder that holds path's last part (made when missing), and that part. */
int parent_in_root(int root, const char *path, char name[256]);
/* Whether a target may be mounted on: what lies on procfs or sysfs only by its own name. */
int check_target(int target, const char *path, struct failure *failure);
bool lies_in(const char *path, const char *folder);

/* ---- plan_process.c, plan_identity.c, plan_exec.c */
int op_hostname_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_sysctl_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_rlimit_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_session_keyring_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_personality_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_io_priority_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_scheduler_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_unshare_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_labels_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_user_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_capabilities_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_no_new_privileges_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_seccomp_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_working_folder_run(struct plan *plan, const struct op *op, struct failure *failure);
int op_exec_run(struct plan *plan, const struct op *op, struct failure *failure);
/* Why a program could not be executed. */
int explain_exec(const char *path, int err, struct failure *failure);
int op_restore_run(struct plan *plan, const struct op *op, struct failure *failure);
