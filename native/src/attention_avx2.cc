#define VECTOR_FLOATS 8
#include "attention_kernels.h"

#include "attention_heads.inc"

namespace chainrule {

const AttentionKernels attention_avx2{forward, backward};

}  // namespace chainrule
