/* What the files of tools/common know of each other. */
#ifndef PRIVATE_H
#define PRIVATE_H

#include <getopt.h>

#include "cli.h"

extern const char *cli_name; /* of the tool */

/* Makes cli_finish give CLI_PARTIAL, and says why. */
void cli_incomplete(const char *file, const struct snap_error *why);

/* A long option that getopt did not take: a usage error, which says what else there is. */
void cli_unknown_option(const char *given, const struct option *longs) __attribute__((noreturn));

#endif
