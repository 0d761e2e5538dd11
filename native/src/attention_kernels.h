// The kernels of attention.h, which are compiled for each kind of CPU.
#pragma once

#include "attention.h"

namespace chainrule {

struct AttentionKernels {
  void (*forward)(const Attention& attention, const AttentionForward& arrays,
                  const Sharing& sharing);
  void (*backward)(const Attention& attention, const AttentionBackward& arrays,
                   const Sharing& sharing);
};

extern const AttentionKernels attention_avx2, attention_avx512;

}  // namespace chainrule
