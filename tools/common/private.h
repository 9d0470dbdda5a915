/* What the files of tools/common know of each other. */
#ifndef PRIVATE_H
#define PRIVATE_H

#include "cli.h"

extern const char *cli_name; /* of the tool */

/* Makes cli_finish give CLI_PARTIAL, and says why. */
void cli_incomplete(const char *file, const struct snap_error *why);

#endif
