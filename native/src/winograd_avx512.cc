#define VECTOR_FLOATS 16
#include <cstring>

#include "scratch.h"
#include "winograd_kernels.h"

#include "winograd_forward.inc"
#include "winograd_filter_gradient.inc"

namespace chainrule {

const WinogradKernels winograd_avx512{kFloats, pack, forward, filter_gradient};

}  // namespace chainrule
