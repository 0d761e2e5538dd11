// Loops that several threads share, on OpenMP's threads, which oneDNN uses as well.
//
// They are calls of the OpenMP library, not pragmas, so that every compiler can build them, also one
// that comes without OpenMP.
#pragma once

#include <cstdint>

extern "C" {
int omp_get_max_threads(void);
int omp_get_num_threads(void);
int omp_get_thread_num(void);
void GOMP_parallel(void (*work)(void*), void* data, unsigned threads, unsigned flags);
}

namespace chainrule {
namespace {

inline int64_t max_threads() { return omp_get_max_threads(); }

// Calls work(item) for every item below `count`. Each thread gets one range of consecutive items. If
// `shared` is false, this thread does all of them.
template <typename Work>
void share_evenly(int64_t count, bool shared, const Work& work) {
  if (count < 2 || !shared) {
    for (int64_t item = 0; item < count; ++item) work(item);
    return;
  }
  struct Loop {
    int64_t count;
    const Work& work;

    static void run(void* data) {
      const Loop& loop = *static_cast<const Loop*>(data);
      const int64_t thread = omp_get_thread_num(), threads = omp_get_num_threads();
      const int64_t end = loop.count * (thread + 1) / threads;
      for (int64_t item = loop.count * thread / threads; item < end; ++item) loop.work(item);
    }
  } loop{count, work};
  GOMP_parallel(&Loop::run, &loop, 0, 0);
}

// Calls work(item) for every item below `count`. Whichever thread is free takes the next item.
template <typename Work>
void share_in_turn(int64_t count, const Work& work) {
  if (count < 2) {
    for (int64_t item = 0; item < count; ++item) work(item);
    return;
  }
  struct Loop {
    int64_t count;
    const Work& work;
    int64_t next;

    static void run(void* data) {
      Loop& loop = *static_cast<Loop*>(data);
      while (true) {
        const int64_t item = __atomic_fetch_add(&loop.next, 1, __ATOMIC_RELAXED);
        if (item >= loop.count) return;
        loop.work(item);
      }
    }
  } loop{count, work, 0};
  GOMP_parallel(&Loop::run, &loop, 0, 0);
}

}  // namespace
}  // namespace chainrule
