/* The collector's lists, followed in several places at once (py_chains.c). */
#ifndef SNAP_PY_CHAINS_H
#define SNAP_PY_CHAINS_H

#include "py_private.h"

#if !PY_SINCE(3, 14)
/* Adds the address of each object of the collector's lists, its generation in the lowest bits, as
 * a uintptr_t.  Some come twice.  false: no memory. */
bool py_chains_follow(struct py_area *addresses);
#endif

#endif
