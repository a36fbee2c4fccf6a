/* Requests that the launcher answers itself, because what they change is the launcher. */
#include <errno.h>
#include <stdio.h>
#include <sys/file.h>
#include "cgroup.h"
#include "launcher.h"

/* The file says who holds the lock, for the message of the next one: "PID of the launcher, PID of its daemon". */
static void write_holder(const struct launcher *launcher, int fd)
{
	char text[48];
	int size = snprintf(text, sizeof(text), "%d %d\n", getpid(), launcher->daemon);
	if (ftruncate(fd, 0) == 0) (void)!pwrite(fd, text, (size_t)size, 0);
}

static int held_by_another(int fd, const char *path, struct failure *failure)
{
	char text[48] = "", *rest;
	if (pread(fd, text, sizeof(text) - 1, 0) < 0) text[0] = 0;
	long holder = strtol(text, &rest, 10), daemon = strtol(rest, NULL, 10);
	if (holder <= 0) return fail(failure, EWOULDBLOCK, "cannot lock %s: another process holds it", path);
	return fail(failure, EWOULDBLOCK, "cannot lock %s: process %ld holds it (launcher of process %ld)", path, holder, daemon);
}

int launcher_lock(struct launcher *launcher, const char *path, struct failure *failure)
{
	AUTO_CLOSE int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	/* A folder can be locked too; then nothing is written. */
	if (fd < 0 && errno == EISDIR) fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0) return fail(failure, errno, "cannot open the lock file %s", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK) return held_by_another(fd, path, failure);
		return fail(failure, errno, "cannot lock %s", path);
	}
	write_holder(launcher, fd);
	take_fd(&fd); /* kept open: the lock lasts as long as this process */
	return 0;
}

int launcher_enter_cgroups(const struct list *cgroups, struct failure *failure)
{
	struct reader items = cgroups->items;
	for (uint32_t i = 0; i < cgroups->count; i++) {
		struct cgroup cgroup;
		char procs[4096];
		if (!cgroup_decode(&items, &cgroup)) return fail(failure, EBADMSG, "the request's fields cannot be read");
		int result = cgroup_make(cgroup.path, failure);
		if (result < 0) return result;
		snprintf(procs, sizeof(procs), "%s/cgroup.procs", cgroup.path);
		result = write_file_at(AT_FDCWD, procs, "0", 1);
		if (result < 0) return fail(failure, -result, "cannot enter the cgroup %s", cgroup.path);
	}
	return 0;
}
