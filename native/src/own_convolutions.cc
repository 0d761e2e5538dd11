#include "own_convolutions.h"

#include "thin_convolution.h"
#include "winograd.h"

namespace chainrule {
namespace {

Epilogue epilogue_of(const Request& request, const Operands& o) {
  return {o.b, request.residual ? o.result : nullptr, request.relu};
}

// Returns whether Winograd is faster than oneDNN, as measured on AVX2. Tiles of 4×4 that are mostly
// outside the image are wasted, and transforming the filters, which become four times as large, only
// pays off for enough positions.
bool winograd_pays(const Request& request) {
  const Geometry& g = request.geometry;
  const bool back = request.way == Way::input_gradient;
  const int64_t n_H = back ? g.n_H_prev : g.n_H(), n_W = back ? g.n_W_prev : g.n_W();
  const int64_t tiles = g.m * ((n_H + 3) / 4) * ((n_W + 3) / 4), positions = g.m * n_H * n_W;
  const bool transformed = request.packed || request.way == Way::filter_gradient;
  return positions >= 5 * tiles && positions >= (transformed ? 64 : 256);
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

// The filter gradient of a first layer.
class Thin : public Plan {
 public:
  explicit Thin(const Geometry& geometry) : geometry_(geometry) {}

  void run(const Operands& o, Arena&) override {
    thin_convolution_filter_gradient(geometry_, o.A_prev, o.dZ, o.result, o.db);
  }

  const std::string& name() const override { return name_; }
  const std::string& layout() const override { return name_; }
  int64_t packed_size() const override { return 0; }
  void pack(const float*, float*) override {}

 private:
  Geometry geometry_;
  std::string name_ = "thin";
};

}  // namespace

std::unique_ptr<Plan> own_convolution(const Request& request) {
  const Geometry& g = request.geometry;
  if (winograd_supported(g) && winograd_pays(request)) return std::make_unique<Winograd>(request);
  if (request.way == Way::filter_gradient && thin_convolution_supported(g))
    return std::make_unique<Thin>(g);
  return nullptr;
}

}  // namespace chainrule
