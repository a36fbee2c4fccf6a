/* CreateContainer with StartContainer, and the container's end, as its launch plan has them. */
#include <errno.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include "bare.h"

enum { QUIET = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC };

/* What containers keep by default: chown dac_override fowner fsetid kill setgid setuid setpcap net_bind_service net_raw
 * sys_chroot mknod audit_write setfcap. */
#define KEPT_CAPABILITIES 0xa80425fbu

static const struct file_system FILE_SYSTEMS[] = {
	{"proc", "proc", QUIET, {0}},
	{"tmpfs", "dev", MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME, {"mode=755", "size=65536k"}},
	{"sysfs", "sys", QUIET | MOUNT_ATTR_RDONLY, {0}},
	{"devpts", "dev/pts", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, {"newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
	{"mqueue", "dev/mqueue", QUIET, {0}},
};
static const char *const POD_FILES[] = {"resolv.conf", "hosts", "hostname"};

static int make_folders(const struct pod *pod)
{
	static const char *const FOLDERS[] = {"", "/upper", "/work", "/rootfs"};
	for (size_t i = 0; i < LENGTH(FOLDERS); i++) {
		char path[PATH_BYTES + 8];
		snprintf(path, sizeof path, "%s%s", pod->layer, FOLDERS[i]);
		if (mkdir(path, 0755) < 0) return complain("make the folder", path);
	}
	return 0;
}

/* Only from within its mount namespace can a mount of the sandbox be copied. */
static int copy_shared_memory(const struct bare *bare, struct pod *pod)
{
	if (setns(pod->sandbox.pidfd, CLONE_NEWNS) < 0) return complain("enter", "the sandbox's mount namespace");
	pod->shared_memory = mount_copy(AT_FDCWD, "/dev/shm", true);
	if (setns(bare->own_mounts, CLONE_NEWNS) < 0) return complain("return to", "the own mount namespace");
	return pod->shared_memory < 0 ? pod->shared_memory : 0;
}

static int prepare(struct bare *bare, struct pod *pod)
{
	int result = make_folders(pod);
	lap(bare->laps, CONTAINER_FOLDERS);
	if (result == 0) result = cgroup_make(&bare->cgroups, pod->container_cgroup);
	lap(bare->laps, CONTAINER_CGROUPS);
	if (result == 0) result = cgroup_deny_devices(&bare->cgroups, pod->container_cgroup, &bare->devices);
	lap(bare->laps, CONTAINER_LIMITS);
	if (result == 0) result = copy_shared_memory(bare, pod);
	lap(bare->laps, CONTAINER_SHARED);
	return result;
}

static int join(const struct bare *bare, const struct pod *pod, struct membership *membership)
{
	int result = process_begin(bare, membership, 0);
	if (result < 0) return result;
	if (setns(pod->sandbox.pidfd, CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC) < 0) return complain("join", "the sandbox's namespaces");
	if (bare->cgroups.only_v2 && unshare(CLONE_NEWCGROUP) < 0) return complain("make", "a cgroup namespace");
	return 0;
}

static int make_root(const struct bare *bare, const struct pod *pod)
{
	char lower[PATH_BYTES], upper[PATH_BYTES + 16], work[PATH_BYTES + 16], place[PATH_BYTES + 16];
	snprintf(lower, sizeof lower, "lowerdir=%s/layer", bare->folder);
	snprintf(upper, sizeof upper, "upperdir=%s/upper", pod->layer);
	snprintf(work, sizeof work, "workdir=%s/work", pod->layer);
	snprintf(place, sizeof place, "%s/rootfs", pod->layer);
	const struct file_system overlay = {"overlay", "/", 0, {lower, upper, work}};
	int root = file_system_make(&overlay);
	int result = root < 0 ? root : root_place(root, place);
	return result < 0 ? result : root;
}

static int bind_copy(int mount, int root, const char *path, bool folder, unsigned int attributes)
{
	struct mount_attr wanted = {.attr_set = attributes, .propagation = MS_PRIVATE};
	if (mount < 0) return mount;
	int result = mount_setattr(mount, "", AT_EMPTY_PATH, &wanted, sizeof wanted) < 0 ? complain("set the attributes of", path) : 0;
	if (result == 0) result = mount_place(mount, root, path, folder);
	close(mount);
	return result;
}

static int bind_files(const struct bare *bare, int root)
{
	for (size_t i = 0; i < LENGTH(POD_FILES); i++) {
		char source[PATH_BYTES], target[64];
		snprintf(source, sizeof source, "%s/%s", bare->folder, POD_FILES[i]);
		snprintf(target, sizeof target, "etc/%s", POD_FILES[i]);
		int result = bind_copy(mount_copy(AT_FDCWD, source, true), root, target, false, 0);
		if (result < 0) return result;
	}
	return 0;
}

/* v1: what the container is in, hierarchy by hierarchy; v2: the root of its cgroup namespace. */
static int show_cgroups(const struct bare *bare, const struct pod *pod, int root)
{
	const struct file_system unified = {"cgroup2", "sys/fs/cgroup", QUIET | MOUNT_ATTR_RDONLY, {0}};
	const struct file_system folders = {"tmpfs", "sys/fs/cgroup", QUIET, {"mode=755"}};
	int result = file_systems_mount(root, bare->cgroups.only_v2 ? &unified : &folders, 1);
	for (size_t i = 0; result == 0 && !bare->cgroups.only_v2 && i < bare->cgroups.count; i++) {
		const struct hierarchy *hierarchy = &bare->cgroups.hierarchies[i];
		char source[PATH_BYTES + 192], target[128];
		if (hierarchy->v2) continue;
		snprintf(source, sizeof source, "%s/%s", hierarchy->folder, pod->container_cgroup);
		snprintf(target, sizeof target, "sys/fs/cgroup/%s", hierarchy->name);
		result = bind_copy(mount_copy(AT_FDCWD, source, false), root, target, true, QUIET | MOUNT_ATTR_RDONLY);
	}
	return result;
}

static int bind_all(const struct bare *bare, const struct pod *pod, int root)
{
	int result = bind_copy(pod->shared_memory, root, "dev/shm", true, QUIET);
	if (result == 0) result = bind_files(bare, root);
	return result < 0 ? result : show_cgroups(bare, pod, root);
}

static int become_sleep(struct bare *bare, struct pod *pod, struct membership *membership)
{
	char *argv[] = {"/bin/sleep", "100000", NULL};
	lap(bare->laps, CONTAINER_CLONE);
	int result = join(bare, pod, membership);
	lap(bare->laps, CONTAINER_JOIN);
	int root = result < 0 ? result : make_root(bare, pod);
	lap(bare->laps, CONTAINER_OVERLAY);
	if (root < 0) return root;
	result = file_systems_mount(root, FILE_SYSTEMS, LENGTH(FILE_SYSTEMS));
	if (result == 0) result = devices_make(root);
	lap(bare->laps, CONTAINER_MOUNTS);
	if (result == 0) result = bind_all(bare, pod, root);
	lap(bare->laps, CONTAINER_BINDS);
	if (result == 0) result = root_enter(root);
	lap(bare->laps, CONTAINER_PIVOT);
	if (result == 0) result = become_root();
	if (result == 0) result = streams_leave(bare);
	if (result == 0) result = filter_install(&bare->container_filter);
	lap(bare->laps, CONTAINER_FILTER);
	if (result == 0) result = capabilities_keep(KEPT_CAPABILITIES);
	lap(bare->laps, CONTAINER_IDENTITY);
	return result < 0 ? result : program_run(argv);
}

int container_start(struct bare *bare, struct pod *pod)
{
	struct membership membership;
	int result = prepare(bare, pod);
	if (result < 0) return result;
	result = membership_open(&bare->cgroups, pod->container_cgroup, &membership);
	const struct birth birth = {CLONE_NEWNS, &membership, CONTAINER_EXEC, become_sleep};
	if (result == 0 && setns(pod->sandbox.pidfd, CLONE_NEWPID) < 0) result = complain("join", "the sandbox's pid namespace");
	if (result == 0) result = process_make(bare, pod, &birth, &pod->container);
	if (setns(bare->own_pids, CLONE_NEWPID) < 0) result = complain("return to", "the own pid namespace");
	membership_close(&membership);
	close_fd(&pod->shared_memory);
	return result;
}

int container_end(struct bare *bare, struct pod *pod)
{
	int result = process_end(&pod->container);
	lap(bare->laps, CONTAINER_KILL);
	if (result == 0) result = cgroup_remove(&bare->cgroups, pod->container_cgroup);
	lap(bare->laps, CONTAINER_RMDIR);
	if (result == 0) result = tree_remove(pod->layer);
	lap(bare->laps, CONTAINER_FILES);
	return result;
}
