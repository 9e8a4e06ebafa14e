/* The header a kernel includes.  Found on the include path before an installed CANN's,
 * it makes the unchanged kernel text a program for the CPU twin.
 *
 * Written from the public Ascend C API documentation; contains nothing of CANN. */
#ifndef OPSLIB_TWIN_KERNEL_OPERATOR_H
#define OPSLIB_TWIN_KERNEL_OPERATOR_H

#include "opslib_twin_cube.h"
#include "opslib_twin_move.h"
#include "opslib_twin_reduce.h"
#include "opslib_twin_sort.h"
#include "opslib_twin_sync.h"
#include "opslib_twin_vector.h"

#endif
