#define VECTOR_FLOATS 16
#include <type_traits>
#include <utility>

#include "recurrence_kernels.h"

#include "recurrence_forward.inc"
#include "recurrence_backward.inc"

namespace chainrule {

const RecurrenceKernels recurrence_avx512{forward, backward};

}  // namespace chainrule
