#include "convolution.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>
#include <vector>

#include "cache.h"
#include "executor.h"
#include "onednn_convolution.h"

namespace chainrule {
namespace {

constexpr size_t kPlans = 512;

std::unique_ptr<Plan> make_plan(const Request& request) { return onednn_convolution(request); }

// Seen by the executor's thread alone.
struct Kept {
  RecentlyUsed<decltype(Request{}.key()), Plan> plans{kPlans};
  Arena arena;
};

Kept& kept() {
  static Kept* only = new Kept;
  return *only;
}

Plan& plan_of(const Request& request) {
  const std::string complaint = request.geometry.complaint();
  if (!complaint.empty()) throw std::invalid_argument(complaint);
  return kept().plans.get(request.key(), [&] { return make_plan(request); });
}

// Of no examples: images have no numbers, and gradients of filters are sums of nothing.
void none(const Request& request, const Operands& operands) {
  const Geometry& g = request.geometry;
  if (request.way != Way::filter_gradient) return;
  std::fill_n(operands.result, g.f_H * g.f_W * (g.n_C_prev / g.groups) * g.n_C, 0.0f);
  if (operands.db) std::fill_n(operands.db, g.n_C, 0.0f);
}

}  // namespace

void convolve(const Request& request, const Operands& operands) {
  if (request.geometry.m == 0) return none(request, operands);
  run_in_turn([&] {
    plan_of(request).run(operands, kept().arena);
    kept().arena.shrink();
  });
}

size_t packed_bytes(const Request& request) {
  size_t bytes = 0;
  run_in_turn([&] { bytes = plan_of(request).packed_bytes(); });
  return bytes;
}

void pack(const Request& request, const float* W, float* packed) {
  run_in_turn([&] { plan_of(request).pack(W, packed); });
}

double time_bare(const Request& request, const Operands& operands, int repeats) {
  std::vector<double> times;
  run_in_turn([&] {
    Plan& plan = plan_of(request);
    plan.run(operands, kept().arena);
    for (int i = 0; i < repeats; ++i) {
      const auto start = std::chrono::steady_clock::now();
      plan.run_bare(operands, kept().arena);
      const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
      times.push_back(took.count());
    }
  });
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

size_t plans_kept() {
  size_t size = 0;
  run_in_turn([&] { size = kept().plans.size(); });
  return size;
}

}  // namespace chainrule
