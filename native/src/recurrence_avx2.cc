#define VECTOR_FLOATS 8
#include <type_traits>
#include <utility>

#include "recurrence_kernels.h"

#include "recurrence_forward.inc"
#include "recurrence_backward.inc"

namespace chainrule {

const RecurrenceKernels recurrence_avx2{forward, backward};

}  // namespace chainrule
