// Memory that a thread keeps for the next call.
#pragma once

#include <cstddef>

namespace chainrule {

// What two buffers of one thread are for, where it needs both at a time.
enum class Scratch { filters, block };

// At least so many floats, aligned to a cache line, the thread's own until it asks again.
// What was there before is gone.
float* scratch(Scratch use, std::size_t floats);

}  // namespace chainrule
