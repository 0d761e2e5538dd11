#define VECTOR_FLOATS 16
#include "attention_kernels.h"

#include "attention_heads.inc"

namespace chainrule {

const AttentionKernels attention_avx512{forward, backward};

}  // namespace chainrule
