/* A pseudo-terminal of the container's own devpts. */
#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include "plan_internal.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

static int open_master(int root, struct failure *failure)
{
	struct stat status;
	struct statfs fs;
	AUTO_CLOSE int master = open_in_root(root, "/dev/pts/ptmx", O_RDWR | O_NOCTTY, 0, 0);
	if (master < 0) return fail(failure, -master, "cannot open /dev/pts/ptmx: a terminal needs a devpts there");
	/* Whatever else the image has put there would be handed to the shim as a terminal. */
	if (fstatfs(master, &fs) < 0 || fs.f_type != DEVPTS_SUPER_MAGIC || fstat(master, &status) < 0 || status.st_rdev != makedev(5, 2))
		return fail(failure, ENODEV, "/dev/pts/ptmx is no pseudo-terminal multiplexer");
	int unlocked = 0;
	if (ioctl(master, TIOCSPTLCK, &unlocked) < 0) return fail(failure, errno, "cannot unlock the terminal");
	return take_fd(&master);
}

static int bind_console(struct plan *plan, int root, int terminal, struct failure *failure)
{
	(void)plan;
	AUTO_CLOSE int target = target_in_root(root, "/dev/console", false, true);
	if (target < 0) return fail(failure, -target, "cannot make /dev/console");
	AUTO_CLOSE int copy = open_tree(terminal, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	int result = copy < 0 ? -errno : attach_mount(copy, target);
	return result < 0 ? fail(failure, -result, "cannot bind the terminal at /dev/console") : 0;
}

int op_terminal_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(terminal, arguments);
	int root = root_of(plan, failure);
	if (root < 0) return root;
	AUTO_CLOSE int master = open_master(root, failure);
	if (master < 0) return master;
	AUTO_CLOSE int terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (terminal < 0) return fail(failure, errno, "cannot open the terminal");
	struct winsize size = {.ws_col = (unsigned short)arguments.columns, .ws_row = (unsigned short)arguments.rows};
	if (size.ws_col && size.ws_row && ioctl(master, TIOCSWINSZ, &size) < 0) return fail(failure, errno, "cannot set the terminal's size");
	int result = arguments.console ? bind_console(plan, root, terminal, failure) : 0;
	if (result < 0) return result;
	if (ioctl(terminal, TIOCSCTTY, 0) < 0) return fail(failure, errno, "cannot make the terminal the controlling one");
	for (int stream = 0; stream < 3; stream++)
		if (dup2(terminal, stream) < 0) return fail(failure, errno, "cannot redirect the standard streams to the terminal");
	char kind = LEASH_TERMINAL;
	result = send_fd(plan->leash, &kind, 1, master);
	return result < 0 ? fail(failure, -result, "cannot give the terminal to the shim") : 0;
}
