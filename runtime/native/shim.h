/* One process per sandbox: parent of its processes, carries out launch plans, writes logs, keeps exit codes. */
#pragma once

/* The listening socket is inherited as this descriptor. */
#define SHIM_LISTEN_FD 3

/* argv: program name, "shim", sandbox id, instance name (the latter two also tell in `ps` whose it is).
 * Answers the exit status. */
int shim_main(int argc, char **argv);
