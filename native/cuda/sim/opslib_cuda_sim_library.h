/* The engine, to be compiled once into a shared object that units of kernels link to:
 *
 *     g++ -std=c++17 -O2 -fPIC -shared -x c++ opslib_cuda_sim_library.h
 *
 * without -fsanitize=thread.  */
#ifndef OPSLIB_CUDA_SIM_LIBRARY_H
#define OPSLIB_CUDA_SIM_LIBRARY_H

#include <string.h>

#include "opslib_cuda_sim_vector.h"

#include "opslib_cuda_sim_engine.h"

#include "opslib_cuda_sim_launch.h"

#endif
