/* A snapshot for snap-record, which waits outside (snap_attach.h). */
#ifndef SNAP_PY_ATTACH_H
#define SNAP_PY_ATTACH_H

#include <stdbool.h>

/* Begins it, in a thread of its own.  False, with errno:
 * the path is too long, or another is not done. */
bool py_attach_begin(const char *path);

#endif
