#include "convolution.h"

#include <algorithm>
#include <functional>
#include <stdexcept>

#include "cache.h"
#include "gathered_convolution.h"
#include "turns.h"
#include "onednn_convolution.h"
#include "own_convolutions.h"

namespace chainrule {
namespace {

constexpr size_t kPlans = 512;

std::unique_ptr<Plan> make_plan(const Request& request) {
  if (std::unique_ptr<Plan> own = own_convolution(request)) return own;
  if (gathered_convolution_needed(request.geometry)) return gathered_convolution(request);
  return onednn_convolution(request);
}

// State that is only accessed by the call whose turn it is.
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

// Packed filters begin with a signature of their layout, as numbers that are exact in a float.
constexpr int64_t kHeader = 16;
constexpr int kSigned = 4;

void sign(const std::string& layout, float* header) {
  const uint64_t hash = std::hash<std::string>()(layout);
  std::fill_n(header, kHeader, 0.0f);
  for (int i = 0; i < kSigned; ++i) header[i] = float(hash >> (16 * i) & 0xffff);
}

void check_signature(const std::string& layout, const float* header) {
  float expected[kHeader];
  sign(layout, expected);
  if (!std::equal(header, header + kHeader, expected))
    throw std::invalid_argument("filters that were packed for another convolution");
}

// Handles a call without examples: images are empty, and the gradients of the filters are zero.
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
    Plan& plan = plan_of(request);
    Operands given = operands;
    if (request.packed) {
      check_signature(plan.layout(), given.W);
      given.W += kHeader;
    }
    plan.run(given, kept().arena);
    kept().arena.shrink();
  });
}

int64_t packed_size(const Request& request) {
  int64_t size = 0;
  run_in_turn([&] { size = kHeader + plan_of(request).packed_size(); });
  return size;
}

void pack(const Request& request, const float* W, float* packed) {
  run_in_turn([&] {
    Plan& plan = plan_of(request);
    sign(plan.layout(), packed);
    plan.pack(W, packed + kHeader);
  });
}

std::string plan_name(const Request& request) {
  std::string name;
  run_in_turn([&] { name = plan_of(request).name(); });
  return name;
}

size_t plans_kept() {
  size_t size = 0;
  run_in_turn([&] { size = kept().plans.size(); });
  return size;
}

}  // namespace chainrule
