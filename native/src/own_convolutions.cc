#include "own_convolutions.h"

#include <algorithm>

#include "winograd.h"

namespace chainrule {
namespace {

Epilogue epilogue_of(const Request& request, const Operands& o) {
  return {o.b, request.residual ? o.result : nullptr, request.relu};
}

class Winograd : public Plan {
 public:
  explicit Winograd(const Request& request) : request_(request) {
    const Geometry& g = request.geometry;
    layout_ = "Winograd " + std::to_string(g.n_C_prev) + " " + std::to_string(g.n_C);
  }

  void run(const Operands& o, Arena&) override {
    const Geometry& g = request_.geometry;
    if (request_.way == Way::input_gradient)
      winograd_input_gradient(g, o.dZ, o.W, nullptr, o.result);
    else if (request_.way == Way::filter_gradient)
      winograd_filter_gradient(g, o.A_prev, o.dZ, o.result, o.db);
    else if (request_.packed)
      winograd_forward_packed(g, o.A_prev, o.W, epilogue_of(request_, o), o.result);
    else
      winograd_forward(g, o.A_prev, o.W, epilogue_of(request_, o), o.result);
  }

  const std::string& name() const override { return name_; }
  const std::string& layout() const override { return layout_; }

  int64_t packed_size() const override {
    return winograd_packed_size(request_.geometry.n_C_prev, request_.geometry.n_C);
  }

  void pack(const float* W, float* packed) override {
    winograd_pack(request_.geometry.n_C_prev, request_.geometry.n_C, W, packed);
  }

 private:
  Request request_;
  std::string name_ = "Winograd", layout_;
};

}  // namespace

std::unique_ptr<Plan> winograd_plan(const Request& request) {
  if (!winograd_supported(request.geometry)) return nullptr;
  return std::make_unique<Winograd>(request);
}

}  // namespace chainrule
