/* The last step of a container that is restored: the mounts are handed over, and a program of the host is executed. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include "plan_internal.h"
#include "program.h"

/* Where a mount is given away: empty, of the same kind. */
static int make_place(int folder, uint32_t number, bool is_folder, struct failure *failure)
{
	char name[16];
	snprintf(name, sizeof name, "%u", number);
	int made = is_folder ? mkdirat(folder, name, 0700) : mknodat(folder, name, S_IFREG | 0600, 0);
	int place = made < 0 ? -1 : openat(folder, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	return place < 0 ? fail(failure, errno, "cannot make a place for mount %u", number) : place;
}

/* A name may lead elsewhere by the time the program looks at it, and a folder of that name may be no mount at all:
 * therefore each is looked up below the root once, and copied to where nobody else comes. */
static int hand_over(int root, const char *path, int folder, uint32_t number, struct failure *failure)
{
	struct statx about;
	AUTO_CLOSE int mount = open_in_root(root, path, O_PATH, 0, RESOLVE_NO_SYMLINKS);
	bool is_mount = mount >= 0 && statx(mount, "", AT_EMPTY_PATH, STATX_TYPE, &about) == 0 && (about.stx_attributes & STATX_ATTR_MOUNT_ROOT);
	if (!is_mount) return fail(failure, EINVAL, "the processes had a mount at %s, and the container has none", path);
	AUTO_CLOSE int copy = open_tree(mount, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (copy < 0) return fail(failure, errno, "cannot copy the mount at %s", path);
	AUTO_CLOSE int place = make_place(folder, number, S_ISDIR(about.stx_mode), failure);
	if (place < 0) return place;
	int result = attach_mount(copy, place);
	return result < 0 ? fail(failure, -result, "cannot hand over the mount at %s", path) : 0;
}

static int hand_over_all(struct plan *plan, const struct op_restore *arguments, struct failure *failure)
{
	struct reader items = arguments->mounts.items;
	const char *path;
	int root = root_of(plan, failure);
	if (root < 0) return root;
	if (mkdir(arguments->folder, 0700) < 0 && errno != EEXIST) return fail(failure, errno, "cannot make %s", arguments->folder);
	if (mount("tmpfs", arguments->folder, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=700") < 0)
		return fail(failure, errno, "cannot mount a tmpfs at %s", arguments->folder);
	AUTO_CLOSE int folder = open(arguments->folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (folder < 0) return fail(failure, errno, "cannot open %s", arguments->folder);
	for (uint32_t i = 0; i < arguments->mounts.count && get_str(&items, &path); i++) {
		int result = hand_over(root, path, folder, i, failure);
		if (result < 0) return result;
	}
	return 0;
}

static int make_readonly(struct plan *plan, struct failure *failure)
{
	struct mount_attr attributes = {.attr_set = MOUNT_ATTR_RDONLY};
	int root = root_of(plan, failure);
	int result = root < 0 ? root : change_mount(root, false, &attributes);
	return result < 0 ? fail(failure, -result, "cannot make the root read-only") : 0;
}

/* Nothing of the image is executed, so the program has all rights, and the root around it is the host's. */
int op_restore_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(restore, arguments);
	AUTO_FREE char **argv = strings_of(&arguments.argv);
	AUTO_FREE char **env = strings_of(&arguments.env);
	if (!argv || !env) return fail(failure, ENOMEM, "no memory for the arguments");
	if (!argv[0] || !*argv[0]) return fail(failure, EINVAL, "there is no program that restores");
	int result = hand_over_all(plan, &arguments, failure);
	/* CRIU 3.17 does not look at the flags that the root had. */
	if (result == 0 && arguments.root_readonly) result = make_readonly(plan, failure);
	if (result < 0) return result;
	if (unlink(arguments.pid_file) < 0 && errno != ENOENT) return fail(failure, errno, "cannot remove %s", arguments.pid_file);
	umask(022);
	prctl(PR_SET_PDEATHSIG, 0);
	prctl(PR_SET_DUMPABLE, 1);
	close_host_side(plan);
	plan->report->executing = 1;
	execve(argv[0], argv, env);
	return explain_exec(argv[0], errno, failure);
}
