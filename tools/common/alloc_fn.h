/* Functions that allocate for whoever called them. */
#ifndef ALLOC_FN_H
#define ALLOC_FN_H

#include "cli.h"
#include "snap_query.h"

#define ALLOC_FN_OPTION(list) \
	{ \
		0, "alloc-fn", "GLOB", \
			"also pass over frames of functions named so, as over those of allocators; '' for none", \
			CLI_LIST, &(list) \
	}

/* Allocators, and the standard libraries of C++ and Rust, then those given; an
 * empty one leaves out the former.  Puts up to SNAP_MAX_PATTERNS patterns of
 * functions there, and returns how many; ends the process if they are too many. */
size_t alloc_fn_patterns(const struct cli_list *given, struct snap_pattern *patterns);

#endif
