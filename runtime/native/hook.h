/* The OCI network hook: gantry-hook apply | apply-host | ask. */
#pragma once

/* Answers the exit status: 0, 1 with a sentence on stderr, 2 for a wrong command line. */
int hook_main(int argc, char **argv);
