// The plans of our own kernels, Winograd and thin; null if neither is suitable.
#pragma once

#include <memory>

#include "plan.h"

namespace chainrule {

std::unique_ptr<Plan> own_convolution(const Request& request);

}  // namespace chainrule
