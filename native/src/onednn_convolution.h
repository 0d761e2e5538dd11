// One oneDNN primitive for one shape: a convolution, or one of its gradients.
#pragma once

#include <memory>

#include "plan.h"

namespace chainrule {

std::unique_ptr<Plan> onednn_convolution(const Request& request);

// The median time of the primitive alone, in milliseconds: the filters are in its layout already.
double time_onednn(const Request& request, const Operands& operands, int repeats);

}  // namespace chainrule
