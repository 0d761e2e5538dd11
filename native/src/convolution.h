// All convolutions: a plan for each shape is made once and cached, and one call runs at a time.
#pragma once

#include "plan.h"

namespace chainrule {

void convolve(const Request& request, const Operands& operands);

// Packed filters for a request: their size in floats, and their computation from W.
int64_t packed_size(const Request& request);
void pack(const Request& request, const float* W, float* packed);

// The name of the kernel for a request, and the number of cached plans.
std::string plan_name(const Request& request);
size_t plans_kept();

}  // namespace chainrule
