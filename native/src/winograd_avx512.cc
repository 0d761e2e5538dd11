#define VECTOR_FLOATS 16
#include <omp.h>

#include <cstring>

#include "scratch.h"
#include "winograd_kernels.h"

#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma")

#include "winograd_forward.inc"
#include "winograd_filter_gradient.inc"

namespace chainrule {

const WinogradKernels winograd_avx512{kFloats, pack, forward, filter_gradient};

}  // namespace chainrule
