// One oneDNN primitive for one shape: a convolution, or one of its gradients.
#pragma once

#include <memory>

#include "plan.h"

namespace chainrule {

std::unique_ptr<Plan> onednn_convolution(const Request& request);

// Returns the median time of the primitive alone in milliseconds, with filters in its layout.
double time_onednn(const Request& request, const Operands& operands, int repeats);

}  // namespace chainrule
