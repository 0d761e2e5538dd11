// The kernels of recurrence.h, which are compiled for each kind of CPU.
#pragma once

#include "recurrence.h"

namespace chainrule {

struct RecurrenceKernels {
  void (*forward)(const Recurrence& recurrence, const RecurrenceForward& arrays,
                  const Sharing& sharing);
  void (*backward)(const Recurrence& recurrence, const RecurrenceBackward& arrays,
                   const Sharing& sharing);
};

extern const RecurrenceKernels recurrence_avx2, recurrence_avx512;

}  // namespace chainrule
