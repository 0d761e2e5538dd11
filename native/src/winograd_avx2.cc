#define VECTOR_FLOATS 8
#include <omp.h>

#include <cstring>

#include "scratch.h"
#include "winograd_kernels.h"

#pragma GCC target("avx2,fma")

#include "winograd_forward.inc"
#include "winograd_filter_gradient.inc"

namespace chainrule {

const WinogradKernels winograd_avx2{kFloats, pack, forward, filter_gradient};

}  // namespace chainrule
