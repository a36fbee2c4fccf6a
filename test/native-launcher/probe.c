/* For the tests: probe xattr PATH NAME              prints the attribute's value as hexadecimal digits
 *                probe seccomp FILTER NR[,ARG0]…    installs a filter (struct sock_filter[]), makes the calls, prints
 *                                                   each result: 0 or more, or the negative errno */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

static int print_xattr(const char *path, const char *name)
{
	unsigned char value[1024];
	ssize_t size = lgetxattr(path, name, value, sizeof(value));
	if (size < 0) return 1;
	for (ssize_t i = 0; i < size; i++) printf("%02x", value[i]);
	return 0;
}

static int try_calls(const char *filter, char **calls)
{
	static struct sock_filter instructions[4096];
	FILE *file = fopen(filter, "r");
	size_t count = file ? fread(instructions, sizeof(instructions[0]), 4096, file) : 0;
	struct sock_fprog program = {(unsigned short)count, instructions};
	char results[4096] = "";

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0) return 1;
	for (; *calls; calls++) {
		char *end;
		long number = strtol(*calls, &end, 0), argument = *end ? strtol(end + 1, NULL, 0) : 0;
		long result = syscall(number, argument, 0, 0, 0, 0, 0);
		sprintf(results + strlen(results), "%ld ", result < 0 ? -errno : result);
	}
	(void)!write(1, results, strlen(results));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "xattr") == 0) return print_xattr(argv[2], argv[3]);
	if (argc > 3 && strcmp(argv[1], "seccomp") == 0) return try_calls(argv[2], argv + 3);
	return 2;
}
