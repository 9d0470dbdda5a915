/* CPython's private structures, as far as they are read.  They differ
 * between minor versions, for each of which this is compiled anew;
 * py_layout.c tries them on known objects before they are believed. */
#ifndef SNAP_PY_PRIVATE_H
#define SNAP_PY_PRIVATE_H

#define Py_BUILD_CORE_MODULE 1
#include "py_walk.h"

#if PY_SINCE(3, 11)
#include <internal/pycore_dict.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_object.h>
#endif
#if PY_SINCE(3, 14)
#include <internal/pycore_interpframe.h>
#include <internal/pycore_interpframe_structs.h>
#include <internal/pycore_stackref.h>
#endif
#if PY_SINCE(3, 9)
#include <internal/pycore_interp.h>
#else
#include <internal/pycore_pystate.h>
#endif
#endif
