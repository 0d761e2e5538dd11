// One oneDNN primitive for one shape: a convolution, or one of its gradients.
#pragma once

#include <memory>

#include "dnnl.hpp"
#include "plan.h"

namespace chainrule {

std::unique_ptr<Plan> onednn_convolution(const Request& request);

}  // namespace chainrule
