/* One static program with three faces: the daemon's launcher, a sandbox's shim, and the network hook. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "hook.h"
#include "launcher.h"
#include "protocol.h"
#include "shim.h"

static int usage(void)
{
	fputs("gantry-shim is started by gantryd; by hand only `gantry-shim --version` is of use.\n"
	      "usage: gantry-shim launcher | shim --sandbox ID --instance NAME [--network] | --version\n",
	      stderr);
	return 2;
}

/* The options stand on the command line so that `ps` tells whose shim it is. */
static int run_shim(int argc, char **argv)
{
	bool network = argc == 7 && strcmp(argv[6], "--network") == 0;
	if ((argc != 6 && !network) || strcmp(argv[2], "--sandbox") != 0 || strcmp(argv[4], "--instance") != 0)
		return usage();
	return shim_main(argv[3], network);
}

int main(int argc, char **argv)
{
	const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
	const char *name = slash ? slash + 1 : argc > 0 ? argv[0] : "";

	if (strcmp(name, "gantry-hook") == 0)
		return hook_main(argc, argv);
	if (argc < 2)
		return usage();
	if (strcmp(argv[1], "launcher") == 0)
		return launcher_main(argv);
	if (strcmp(argv[1], "shim") == 0)
		return run_shim(argc, argv);
	if (strcmp(argv[1], "--version") == 0) {
		printf("gantry-shim %s (protocol %u)\n", GANTRY_VERSION, PROTOCOL_VERSION);
		return 0;
	}
	return usage();
}
