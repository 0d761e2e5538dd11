// Scratch memory that a thread keeps for its next call.
#pragma once

#include <cstddef>

namespace chainrule {

// The two buffers of a thread, which it may need at the same time.
enum class Scratch { filters, block };

// Returns at least this many floats, aligned to a cache line and valid until the thread's next
// request. Earlier contents are lost.
float* scratch(Scratch use, std::size_t floats);

}  // namespace chainrule
