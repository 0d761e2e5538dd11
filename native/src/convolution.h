// Every convolution: a plan for each shape, made once and kept, run on the one thread.
#pragma once

#include "plan.h"

namespace chainrule {

void convolve(const Request& request, const Operands& operands);

// Filters for a packed request: their size in floats, and how they are made from W.
int64_t packed_size(const Request& request);
void pack(const Request& request, const float* W, float* packed);

// What computes a request, and how many plans are kept.
std::string plan_name(const Request& request);
size_t plans_kept();

}  // namespace chainrule
