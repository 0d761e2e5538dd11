// Every convolution: a plan for each shape, made once and kept, run on the one thread.
#pragma once

#include "plan.h"

namespace chainrule {

void convolve(const Request& request, const Operands& operands);

// The size of filters in the kernel's own layout, and how they get there.
size_t packed_bytes(const Request& request);
void pack(const Request& request, const float* W, float* packed);

// The median time of the kernel alone, in milliseconds.
double time_bare(const Request& request, const Operands& operands, int repeats);

size_t plans_kept();

}  // namespace chainrule
