// The plans of our own kernels, Winograd's and the thin one: null where they do not serve.
#pragma once

#include <memory>

#include "plan.h"

namespace chainrule {

std::unique_ptr<Plan> own_convolution(const Request& request);

}  // namespace chainrule
