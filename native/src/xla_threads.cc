#include "xla_threads.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

namespace chainrule {
namespace {

// The parts of a call. A thread that comes too late finds none, and nothing but this.
struct Job {
  const int64_t parts;
  void (*const work)(void* data, int64_t part);
  void* const data;
  std::atomic<int64_t> next{0}, done{0};

  Job(int64_t parts, void (*work)(void*, int64_t), void* data)
      : parts(parts), work(work), data(data) {}

  void help() {
    for (int64_t part; (part = next.fetch_add(1, std::memory_order_relaxed)) < parts;) {
      work(data, part);
      done.fetch_add(1, std::memory_order_release);
    }
  }

  // Waits for the parts that other threads have begun.
  void finish() const {
    constexpr int kSpins = 1000;
    for (int spins = 0; done.load(std::memory_order_acquire) < parts; ++spins) {
      if (spins < kSpins)
        __builtin_ia32_pause();
      else
        std::this_thread::yield();
    }
  }
};

void run(const Sharing& sharing, int64_t parts, void (*work)(void* data, int64_t part),
         void* data) {
  const auto job = std::make_shared<Job>(parts, work, data);
  auto& pool = *static_cast<xla::ffi::ThreadPool*>(sharing.pool);
  for (int64_t helpers = std::min(sharing.threads, parts) - 1; helpers > 0; --helpers)
    pool.Schedule([job] { job->help(); });
  job->help();
  job->finish();
}

}  // namespace

Sharing xla_threads(xla::ffi::ThreadPool& pool) {
  return {std::max<int64_t>(1, pool.num_threads()), run, &pool};
}

}  // namespace chainrule
