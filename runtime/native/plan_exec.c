/* The last steps: the working folder, and the exec. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include "plan_internal.h"
#include "program.h"

static int open_working_folder(int root, const struct op_working_folder *arguments)
{
	if (arguments->create) return folder_in_root(root, arguments->path, 0755);
	return open_in_root(root, arguments->path, O_PATH | O_DIRECTORY, 0, 0);
}

int op_working_folder_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(working_folder, arguments);
	char now[PATH_MAX];
	int root = root_of(plan, failure);
	if (root < 0) return root;
	AUTO_CLOSE int folder = open_working_folder(root, &arguments);
	if (folder < 0) return fail(failure, -folder, "cannot open the working folder %s", arguments.path);
	if (fchdir(folder) < 0) return fail(failure, errno, "cannot enter the working folder %s", arguments.path);
	/* CVE-2024-21626: a folder that the root does not contain has no path from it. */
	if (syscall(SYS_getcwd, now, sizeof now) < 0) return fail(failure, errno, "cannot tell where the working folder %s lies", arguments.path);
	if (now[0] != '/') {
		(void)!chdir("/");
		return fail(failure, EPERM, "the working folder %s lies outside the root", arguments.path);
	}
	return 0;
}

int explain_exec(const char *path, int err, struct failure *failure)
{
	struct stat status;
	bool exists = stat(path, &status) == 0;
	if (err == ENOENT && exists) return fail(failure, ENOENT, "cannot execute %s: the interpreter or loader that it names is missing", path);
	if (err == ENOENT) return fail(failure, ENOENT, "cannot execute %s: it does not exist", path);
	if (err == ENOEXEC) return fail(failure, ENOEXEC, "cannot execute %s: not a program for this machine, or a script without #!", path);
	if (err == EACCES && exists && S_ISDIR(status.st_mode)) return fail(failure, EACCES, "cannot execute %s: it is a folder", path);
	if (err == EACCES) return fail(failure, EACCES, "cannot execute %s: no permission to execute it", path);
	return fail(failure, err, "cannot execute %s", path);
}

/* As execvp(3), in the PATH of the container's own environment. */
static int exec_in_path(const char *name, const char *path, char **argv, char **env, struct failure *failure)
{
	char candidate[PATH_MAX];
	bool denied = false;
	for (;;) {
		size_t length = strcspn(path, ":");
		const char *separator = length ? "/" : "./"; /* an empty entry is the working folder */
		int n = snprintf(candidate, sizeof candidate, "%.*s%s%s", (int)length, path, separator, name);
		if (n < (int)sizeof candidate) execve(candidate, argv, env);
		else errno = ENAMETOOLONG;
		if (errno == EACCES) denied = true;
		else if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG) return explain_exec(candidate, errno, failure);
		if (path[length] == 0) break;
		path += length + 1;
	}
	if (denied) return fail(failure, EACCES, "cannot execute \"%.200s\": no permission to execute what was found in $PATH", name);
	return fail(failure, ENOENT, "exec: \"%.200s\": executable file not found in $PATH", name);
}

int op_exec_run(struct plan *plan, const struct op *op, struct failure *failure)
{
	DECODE(exec, arguments);
	AUTO_FREE char **argv = strings_of(&arguments.argv);
	AUTO_FREE char **env = strings_of(&arguments.env);
	if (!argv || !env) return fail(failure, ENOMEM, "no memory for the arguments");
	if (!argv[0] || !*argv[0]) return fail(failure, EINVAL, "there is no program to execute");
	if (!plan->umask_set) umask(022);
	if (!plan->filtered) {
		prctl(PR_SET_PDEATHSIG, 0);
		close_host_side(plan);
	}
	plan->report->executing = 1;
	if (!strchr(argv[0], '/')) {
		const char *path = environment_get(env, "PATH");
		return exec_in_path(argv[0], path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", argv, env, failure);
	}
	execve(argv[0], argv, env);
	return explain_exec(argv[0], errno, failure);
}
