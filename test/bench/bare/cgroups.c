/* Cgroups in every hierarchy that is mounted: v1, v1 with an empty v2 beside it, or v2 alone. */
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "bare.h"

#define MOUNT_ROOT "/sys/fs/cgroup"
#define REMOVE_TIMEOUT_US 5000000

static bool has_controller(const char *names, const char *wanted)
{
	size_t length = strlen(wanted);
	for (const char *at = names; (at = strstr(at, wanted)); at += length)
		if ((at == names || at[-1] == ',') && (at[length] == ',' || at[length] == 0)) return true;
	return false;
}

static void add_hierarchy(struct cgroups *cgroups, const char *name)
{
	char probe[256];
	struct hierarchy *hierarchy = &cgroups->hierarchies[cgroups->count];
	struct stat status;
	if (cgroups->count == HIERARCHIES_MAX || name[0] == '.' || strlen(name) >= sizeof hierarchy->name) return;
	*hierarchy = (struct hierarchy){0};
	snprintf(hierarchy->name, sizeof hierarchy->name, "%s", name);
	snprintf(hierarchy->folder, sizeof hierarchy->folder, MOUNT_ROOT "/%.63s", name);
	snprintf(probe, sizeof probe, "%s/cgroup.procs", hierarchy->folder);
	/* Controllers mounted together have links with their single names. */
	if (lstat(hierarchy->folder, &status) < 0 || !S_ISDIR(status.st_mode) || access(probe, F_OK) < 0) return;
	snprintf(probe, sizeof probe, "%s/cgroup.controllers", hierarchy->folder);
	hierarchy->v2 = access(probe, F_OK) == 0;
	hierarchy->cpu = has_controller(name, "cpu");
	hierarchy->cpuset = has_controller(name, "cpuset");
	hierarchy->devices = has_controller(name, "devices");
	cgroups->count++;
}

static int detect_v2(struct cgroups *cgroups)
{
	char text[sizeof cgroups->controllers / 2] = "";
	int fd = open(MOUNT_ROOT "/cgroup.controllers", O_RDONLY | O_CLOEXEC);
	if (fd < 0) return -errno;
	if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
	close(fd);
	char *rest = text;
	for (char *name; (name = strtok_r(rest, " \n", &rest));) {
		size_t length = strlen(cgroups->controllers);
		snprintf(cgroups->controllers + length, sizeof cgroups->controllers - length, "%s+%s", length ? " " : "", name);
	}
	cgroups->only_v2 = true;
	cgroups->hierarchies[0] = (struct hierarchy){.folder = MOUNT_ROOT, .v2 = true, .cpu = true};
	cgroups->count = 1;
	return 0;
}

int cgroups_detect(struct cgroups *cgroups)
{
	if (detect_v2(cgroups) == 0) return 0;
	DIR *entries = opendir(MOUNT_ROOT);
	if (!entries) return complain("open", MOUNT_ROOT);
	for (struct dirent *entry; (entry = readdir(entries));) add_hierarchy(cgroups, entry->d_name);
	closedir(entries);
	errno = ENOENT;
	return cgroups->count > 0 ? 0 : complain("find a cgroup hierarchy below", MOUNT_ROOT);
}

static void folder_of(const struct hierarchy *hierarchy, const char *path, const char *file, char result[PATH_BYTES])
{
	snprintf(result, PATH_BYTES, "%s/%s%s%s", hierarchy->folder, path, *file ? "/" : "", file);
}

/* A new group of v1's cpuset has no processor and no memory, and no process can join it. */
static int inherit(const struct hierarchy *hierarchy, const char *path, const char *file)
{
	char from[PATH_BYTES], to[PATH_BYTES], value[1024] = "";
	snprintf(from, sizeof from, "%s/%s/../%s", hierarchy->folder, path, file);
	folder_of(hierarchy, path, file, to);
	int fd = open(from, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, value, sizeof value - 1);
	if (fd >= 0) close(fd);
	if (length < 0) return complain("read", from);
	int result = file_write(AT_FDCWD, to, value);
	return result < 0 ? complain("write", to) : 0;
}

int cgroup_make(const struct cgroups *cgroups, const char *path)
{
	for (size_t i = 0; i < cgroups->count; i++) {
		const struct hierarchy *hierarchy = &cgroups->hierarchies[i];
		char folder[PATH_BYTES];
		folder_of(hierarchy, path, "", folder);
		if (mkdir(folder, 0755) < 0) return complain("make the cgroup", folder);
		if (!hierarchy->cpuset) continue;
		int result = inherit(hierarchy, path, "cpuset.cpus");
		if (result == 0) result = inherit(hierarchy, path, "cpuset.mems");
		if (result < 0) return result;
	}
	return 0;
}

int cgroup_hand_down(const struct cgroups *cgroups, const char *path)
{
	char file[PATH_BYTES];
	if (!cgroups->only_v2 || !*cgroups->controllers) return 0;
	folder_of(&cgroups->hierarchies[0], path, "cgroup.subtree_control", file);
	return file_write(AT_FDCWD, file, cgroups->controllers) < 0 ? complain("write", file) : 0;
}

int cgroup_limit_cpu(const struct cgroups *cgroups, const char *path)
{
	for (size_t i = 0; i < cgroups->count; i++) {
		const struct hierarchy *hierarchy = &cgroups->hierarchies[i];
		char file[PATH_BYTES];
		if (!hierarchy->cpu) continue;
		folder_of(hierarchy, path, hierarchy->v2 ? "cpu.weight" : "cpu.shares", file);
		int result = file_write(AT_FDCWD, file, hierarchy->v2 ? "1" : "2");
		if (result < 0 && result != -ENOENT) return complain("write", file);
	}
	return 0;
}

static int deny_by_program(const char *folder, const struct program *program)
{
	static const char license[] = "Apache-2.0";
	int cgroup = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0) return complain("open the cgroup", folder);
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uintptr_t)program->data,
		.insn_cnt = (uint32_t)(program->size / sizeof(struct bpf_insn)),
		.license = (uintptr_t)license,
	};
	int loaded = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
	if (loaded < 0) return complain("load the device program for", folder);
	union bpf_attr attach = {
		.target_fd = (uint32_t)cgroup,
		.attach_bpf_fd = (uint32_t)loaded,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};
	int result = syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) < 0 ? complain("attach the device program to", folder) : 0;
	close(loaded);
	close(cgroup);
	return result;
}

static int deny_by_list(const struct hierarchy *hierarchy, const char *path)
{
	static const char *const ALLOWED[] = {
		"c *:* m", "b *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm",
	};
	char deny[PATH_BYTES], allow[PATH_BYTES];
	folder_of(hierarchy, path, "devices.deny", deny);
	folder_of(hierarchy, path, "devices.allow", allow);
	if (file_write(AT_FDCWD, deny, "a") < 0) return complain("write", deny);
	for (size_t i = 0; i < LENGTH(ALLOWED); i++)
		if (file_write(AT_FDCWD, allow, ALLOWED[i]) < 0) return complain("write", allow);
	return 0;
}

int cgroup_deny_devices(const struct cgroups *cgroups, const char *path, const struct program *program)
{
	char folder[PATH_BYTES];
	folder_of(&cgroups->hierarchies[0], path, "", folder);
	if (cgroups->only_v2) return deny_by_program(folder, program);
	for (size_t i = 0; i < cgroups->count; i++)
		if (cgroups->hierarchies[i].devices) return deny_by_list(&cgroups->hierarchies[i], path);
	return 0;
}

static void kill_members(const char *folder)
{
	char file[PATH_BYTES + 32];
	snprintf(file, sizeof file, "%s/cgroup.procs", folder);
	FILE *members = fopen(file, "re");
	if (!members) return;
	for (int pid; fscanf(members, "%d", &pid) == 1;)
		if (pid > 0) kill(pid, SIGKILL);
	fclose(members);
}

/* EBUSY for a moment after the last process ended: the kernel takes it out of its groups late. */
static int remove_folder(const char *folder, bool with_members)
{
	for (useconds_t waited = 0, pause = 100; rmdir(folder) < 0 && errno != ENOENT; waited += pause, pause = pause < 10000 ? pause * 2 : pause) {
		if (errno != EBUSY || waited > REMOVE_TIMEOUT_US) return complain("remove the cgroup", folder);
		if (with_members) kill_members(folder);
		usleep(pause);
	}
	return 0;
}

int cgroup_remove(const struct cgroups *cgroups, const char *path)
{
	for (size_t i = 0; i < cgroups->count; i++) {
		char folder[PATH_BYTES];
		folder_of(&cgroups->hierarchies[i], path, "", folder);
		int result = remove_folder(folder, false);
		if (result < 0) return result;
	}
	return 0;
}

static int remove_below(const char *folder)
{
	DIR *entries = opendir(folder);
	int result = 0;
	if (!entries) return errno == ENOENT ? 0 : complain("open the cgroup", folder);
	for (struct dirent *entry; result == 0 && (entry = readdir(entries));) {
		char below[PATH_BYTES];
		if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
		if (snprintf(below, sizeof below, "%s/%s", folder, entry->d_name) < (int)sizeof below) result = remove_below(below);
	}
	closedir(entries);
	return result < 0 ? result : remove_folder(folder, true);
}

int cgroup_remove_tree(const struct cgroups *cgroups, const char *path)
{
	int result = 0;
	for (size_t i = 0; i < cgroups->count; i++) {
		char folder[PATH_BYTES];
		folder_of(&cgroups->hierarchies[i], path, "", folder);
		int removed = remove_below(folder);
		if (removed < 0) result = removed;
	}
	return result;
}

int membership_open(const struct cgroups *cgroups, const char *path, struct membership *membership)
{
	*membership = (struct membership){.v2 = -1};
	for (size_t i = 0; i < cgroups->count; i++) {
		const struct hierarchy *hierarchy = &cgroups->hierarchies[i];
		char file[PATH_BYTES];
		folder_of(hierarchy, path, hierarchy->v2 ? "" : "tasks", file);
		int fd = open(file, hierarchy->v2 ? O_RDONLY | O_DIRECTORY | O_CLOEXEC : O_WRONLY | O_CLOEXEC);
		if (fd < 0) return complain("open", file);
		if (hierarchy->v2) membership->v2 = fd;
		else membership->tasks[membership->count++] = fd;
	}
	return 0;
}

int membership_enter(struct membership *membership)
{
	for (size_t i = 0; i < membership->count; i++)
		if (write(membership->tasks[i], "0", 1) < 0) return complain("join", "a cgroup");
	return 0;
}

void membership_close(struct membership *membership)
{
	close_fd(&membership->v2);
	for (size_t i = 0; i < membership->count; i++) close_fd(&membership->tasks[i]);
	membership->count = 0;
}
