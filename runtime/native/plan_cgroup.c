/* cgroups: made and removed; device programs of v2. */
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include "cgroup.h"
#include "plan_internal.h"

/* v1 cpuset: no process can join a group whose cpus or mems are empty, and a new group's are. */
static int inherit_cpuset(int folder, const char *file, struct failure *failure, const char *path)
{
	char value[4096], parent[32];
	ssize_t length = read_file_at(folder, file, value, sizeof value);
	if (length < 0 || (length > 0 && value[0] != '\n')) return 0;
	snprintf(parent, sizeof parent, "../%s", file);
	length = read_file_at(folder, parent, value, sizeof value);
	if (length <= 0) return 0;
	int result = write_file_at(folder, file, value, (size_t)length);
	return result < 0 ? fail(failure, -result, "cannot inherit %s of %s from its parent", file, path) : 0;
}

static int make_level(const char *path, struct failure *failure)
{
	struct statfs fs;
	bool made = mkdir(path, 0755) == 0;
	if (!made && errno != EEXIST) return fail(failure, errno, "cannot make the cgroup %s", path);
	AUTO_CLOSE int folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0 || fstatfs(folder, &fs) < 0) return fail(failure, errno, "cannot open the cgroup %s", path);
	if (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC) {
		if (made) rmdir(path);
		return fail(failure, EINVAL, "%s is not in a cgroup hierarchy", path);
	}
	if (fs.f_type != CGROUP_SUPER_MAGIC) return 0;
	int result = inherit_cpuset(folder, "cpuset.cpus", failure, path);
	return result < 0 ? result : inherit_cpuset(folder, "cpuset.mems", failure, path);
}

int cgroup_make(const char *wanted, struct failure *failure)
{
	AUTO_FREE char *path = strdup(wanted);
	if (!path || *path != '/') return fail(failure, path ? EINVAL : ENOMEM, "cannot make the cgroup %s", wanted);
	/* From the first folder that is missing or of the hierarchy on; folders above a hierarchy are left as they are. */
	for (char *slash = path + 1; slash; *slash = '/', slash++) {
		struct statfs fs;
		slash = strchr(slash, '/');
		if (!slash) return make_level(path, failure);
		*slash = 0;
		bool hierarchy = statfs(path, &fs) < 0 || fs.f_type == CGROUP_SUPER_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC;
		int result = hierarchy ? make_level(path, failure) : 0;
		if (result < 0) return result;
	}
	return 0;
}

int op_cgroup_make_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(cgroup_make, arguments);
	return cgroup_make(arguments.path, failure);
}

int op_cgroup_devices_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	(void)plan;
	DECODE(cgroup_devices, arguments);
	static const char license[] = "Apache-2.0";
	AUTO_CLOSE int cgroup = open(arguments.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0) return fail(failure, errno, "cannot open the cgroup %s", arguments.path);
	union bpf_attr load = {
		.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
		.insns = (uintptr_t)arguments.program.data,
		.insn_cnt = arguments.program.size / 8,
		.license = (uintptr_t)license,
	};
	AUTO_CLOSE int program = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
	if (program < 0) return fail(failure, errno, "cannot load the device program for %s", arguments.path);
	union bpf_attr attach = {
		.target_fd = (uint32_t)cgroup,
		.attach_bpf_fd = (uint32_t)program,
		.attach_type = BPF_CGROUP_DEVICE,
		.attach_flags = BPF_F_ALLOW_MULTI,
	};
	if (syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach) < 0)
		return fail(failure, errno, "cannot attach the device program to %s", arguments.path);
	return 0;
}

static int remove_group(const char *path);

static int remove_below(const char *path)
{
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *entries = folder < 0 ? NULL : fdopendir(folder);
	if (!entries) return errno == ENOENT ? 0 : -errno;
	int result = 0;
	for (struct dirent *entry; result == 0 && (entry = readdir(entries));) {
		char below[4096];
		if (!is_cgroup_below(entry)) continue;
		int length = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);
		result = length < (int)sizeof below ? remove_group(below) : -ENAMETOOLONG;
	}
	closedir(entries);
	return result;
}

static int remove_group(const char *path)
{
	if (rmdir(path) == 0 || errno == ENOENT) return 0;
	/* Groups below, mostly there are none, or processes. */
	int result = errno == EBUSY ? remove_below(path) : -errno;
	if (result < 0) return result;
	return rmdir(path) == 0 || errno == ENOENT ? 0 : -errno;
}

int op_cgroup_remove_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(cgroup_remove, arguments);
	struct statfs fs;
	if (statfs(arguments.path, &fs) < 0) return errno == ENOENT ? 0 : fail(failure, errno, "cannot read the cgroup %s", arguments.path);
	if (fs.f_type != CGROUP_SUPER_MAGIC && fs.f_type != CGROUP2_SUPER_MAGIC)
		return fail(failure, EINVAL, "%s is not in a cgroup hierarchy", arguments.path);
	uint64_t deadline = monotonic_ns() + (uint64_t)arguments.timeout_ms * 1000000u;
	if (plan->at_once) {
		if (rmdir(arguments.path) == 0 || errno == ENOENT) return 0;
		return fail(failure, errno, "cannot remove the cgroup %s at once", arguments.path);
	}
	/* EBUSY for a moment after the last process ended: the kernel takes it out of its groups late. */
	for (long pause = 100;; pause = pause < 10000 ? pause * 2 : 10000) {
		int result = remove_group(arguments.path);
		if (result == 0) return 0;
		if (result != -EBUSY || monotonic_ns() >= deadline)
			return fail(failure, -result, "cannot remove the cgroup %s", arguments.path);
		sleep_us(pause);
	}
}
