// How a kernel shares its work among threads that the caller has.
//
// Unlike the loops of parallel.h, it waits only for threads that have begun: on a busy machine the
// caller does what the others do not get to. This is a plain function, so that files for different
// processors can call it without code of their own.
#pragma once

#include <cstdint>

namespace chainrule {

struct Sharing {
  int64_t threads = 1;
  // Calls work(data, part) once for every part, in any order, and returns when all are done.
  void (*run)(const Sharing& sharing, int64_t parts, void (*work)(void* data, int64_t part),
              void* data) = nullptr;
  void* pool = nullptr;
};

}  // namespace chainrule
