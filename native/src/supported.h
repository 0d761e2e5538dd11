// Whether the processor has the vectors that the kernels need. This is compiled for every processor.
#pragma once

namespace chainrule {

// AVX2 and FMA.
bool has_avx2();

// AVX-512 with its parts F, DQ, VL and BW.
bool has_avx512();

}  // namespace chainrule
