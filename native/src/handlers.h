// XLA's door: the handlers of the foreign functions, by name.
#pragma once

#include <vector>

#include "xla/ffi/api/ffi.h"

namespace chainrule {

struct Target {
  const char* name;
  XLA_FFI_Handler* handler;
};

const std::vector<Target>& convolution_targets();

}  // namespace chainrule
