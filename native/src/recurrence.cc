#include "recurrence.h"

#include "recurrence_kernels.h"
#include "supported.h"

namespace chainrule {
namespace {

const RecurrenceKernels& kernels() { return has_avx512() ? recurrence_avx512 : recurrence_avx2; }

}  // namespace

bool recurrence_supported(const Recurrence& r) {
  return has_avx2() && r.T > 0 && r.m > 0 && r.n > 0;
}

void recurrence_forward(const Recurrence& recurrence, const RecurrenceForward& arrays,
                        const Sharing& sharing) {
  kernels().forward(recurrence, arrays, sharing);
}

void recurrence_backward(const Recurrence& recurrence, const RecurrenceBackward& arrays,
                         const Sharing& sharing) {
  kernels().backward(recurrence, arrays, sharing);
}

}  // namespace chainrule
