#include "attention.h"

#include "attention_kernels.h"
#include "supported.h"

namespace chainrule {
namespace {

const AttentionKernels& kernels() { return has_avx512() ? attention_avx512 : attention_avx2; }

}  // namespace

bool attention_supported(const Attention& a) {
  const bool sizes = a.m > 0 && a.heads > 0 && a.T_q > 0 && a.T_k > 0 && a.d > 0 && a.d_v > 0;
  return has_avx2() && sizes && a.d % 16 == 0 && a.d_v % 16 == 0;
}

void attention_forward(const Attention& attention, const AttentionForward& arrays,
                       const Sharing& sharing) {
  kernels().forward(attention, arrays, sharing);
}

void attention_backward(const Attention& attention, const AttentionBackward& arrays,
                        const Sharing& sharing) {
  kernels().backward(attention, arrays, sharing);
}

}  // namespace chainrule
