/* RunPodSandbox and its end, as the launch plan of a sandbox has them (`gantry inspect --plan`). */
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include "bare.h"

enum { QUIET = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

static const struct file_system FILE_SYSTEMS[] = {
	{"proc", "proc", QUIET, {0}},
	{"tmpfs", "dev", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME, {"mode=755", "size=65536k"}},
	{"tmpfs", "dev/shm", QUIET, {"mode=1777", "size=67108864"}},
};

static const char *const READ_ONLY[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys", "proc/sysrq-trigger"};
static const char *const MASKED[] = {
	"proc/acpi",        "proc/asound", "proc/interrupts", "proc/kcore",      "proc/keys", "proc/latency_stats",
	"proc/sched_debug", "proc/scsi",   "proc/timer_list", "proc/timer_stats", "sys/devices/virtual/powercap", "sys/firmware",
};

static int prepare(struct bare *bare, struct pod *pod)
{
	int result = cgroup_hand_down(&bare->cgroups, pod->cgroup);
	if (result == 0) result = cgroup_make(&bare->cgroups, pod->sandbox_cgroup);
	lap(bare->laps, SANDBOX_CGROUPS);
	if (result == 0) result = cgroup_limit_cpu(&bare->cgroups, pod->sandbox_cgroup);
	if (result == 0) result = cgroup_deny_devices(&bare->cgroups, pod->sandbox_cgroup, &bare->devices);
	lap(bare->laps, SANDBOX_LIMITS);
	if (result < 0) return result;
	pod->network = network_make(bare);
	lap(bare->laps, SANDBOX_NETNS);
	if (pod->network < 0) return pod->network;
	result = veth_make(bare, pod->network);
	lap(bare->laps, SANDBOX_VETH);
	if (result == 0) result = network_configure(bare, pod->network);
	lap(bare->laps, SANDBOX_NETWORK);
	return result;
}

/* The root stays where it is. */
static int mount_all(const char *folder)
{
	char place[PATH_BYTES];
	snprintf(place, sizeof place, "%s/pause", folder);
	int root = mount_copy(AT_FDCWD, place, true);
	int result = root < 0 ? root : root_place(root, place);
	if (result == 0) result = file_systems_mount(root, FILE_SYSTEMS, LENGTH(FILE_SYSTEMS));
	if (result == 0) result = devices_make(root);
	if (result == 0 && sethostname("bare", 4) < 0) result = complain("set", "the host name");
	return result < 0 ? result : root;
}

static int make_read_only(int root, const char *path)
{
	if (faccessat(root, path, F_OK, 0) < 0) return 0;
	int mount = mount_copy(root, path, true);
	int result = mount < 0 ? mount : mount_read_only(mount, true);
	if (result == 0) result = mount_place(mount, root, path, true);
	close_fd(&mount);
	return result;
}

static int mask(int root, const char *path)
{
	int target = openat(root, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool folder = target >= 0;
	close_fd(&target);
	if (!folder && faccessat(root, path, F_OK, 0) < 0) return 0;
	const struct file_system empty = {"tmpfs", path, MOUNT_ATTR_RDONLY, {"mode=755"}};
	int mount = folder ? file_system_make(&empty) : mount_copy(root, "dev/null", false);
	int result = mount < 0 ? mount : mount_read_only(mount, false);
	if (result == 0) result = mount_place(mount, root, path, folder);
	close_fd(&mount);
	return result;
}

static int hide(int root)
{
	int result = 0;
	for (size_t i = 0; result == 0 && i < LENGTH(READ_ONLY); i++) result = make_read_only(root, READ_ONLY[i]);
	for (size_t i = 0; result == 0 && i < LENGTH(MASKED); i++) result = mask(root, MASKED[i]);
	return result;
}

static int become_pause(struct bare *bare, struct pod *pod, struct membership *membership)
{
	char *argv[] = {"/pause", NULL};
	lap(bare->laps, SANDBOX_CLONE);
	int result = process_begin(bare, membership, -998);
	if (result == 0 && setns(pod->network, CLONE_NEWNET) < 0) result = complain("join", "the pod's network namespace");
	lap(bare->laps, SANDBOX_JOIN);
	int root = result < 0 ? result : mount_all(bare->folder);
	lap(bare->laps, SANDBOX_MOUNTS);
	if (root < 0) return root;
	result = hide(root);
	lap(bare->laps, SANDBOX_HIDE);
	if (result == 0) result = root_enter(root);
	if (result == 0) result = mount_read_only(root, false);
	lap(bare->laps, SANDBOX_PIVOT);
	if (result == 0) result = become_root();
	if (result == 0) result = capabilities_keep(0);
	if (result == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) result = complain("give up", "new privileges");
	if (result == 0) result = streams_leave(bare);
	lap(bare->laps, SANDBOX_IDENTITY);
	if (result == 0) result = filter_install(&bare->sandbox_filter);
	lap(bare->laps, SANDBOX_FILTER);
	return result < 0 ? result : program_run(argv);
}

int sandbox_start(struct bare *bare, struct pod *pod)
{
	struct membership membership;
	int result = prepare(bare, pod);
	if (result < 0) return result;
	result = membership_open(&bare->cgroups, pod->sandbox_cgroup, &membership);
	const struct birth birth = {CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID, &membership, SANDBOX_EXEC, become_pause};
	if (result == 0) result = process_make(bare, pod, &birth, &pod->sandbox);
	membership_close(&membership);
	return result;
}

int sandbox_end(struct bare *bare, struct pod *pod)
{
	int result = process_end(&pod->sandbox);
	close_fd(&pod->network);
	lap(bare->laps, SANDBOX_KILL);
	if (result == 0) result = veth_await_end(bare);
	lap(bare->laps, NETWORK_END);
	if (result == 0) result = veth_remove(bare);
	lap(bare->laps, SANDBOX_UNLINK);
	if (result == 0) result = cgroup_remove(&bare->cgroups, pod->sandbox_cgroup);
	lap(bare->laps, SANDBOX_RMDIR);
	return result;
}
