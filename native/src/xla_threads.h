// Work shared among the threads of XLA, which has no others on the same cores then.
#pragma once

#include "sharing.h"
#include "xla/ffi/api/ffi.h"

namespace chainrule {

// Returns how to share work among the threads of this pool, which has to stay until it is done.
Sharing xla_threads(xla::ffi::ThreadPool& pool);

}  // namespace chainrule
