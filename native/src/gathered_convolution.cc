#include "gathered_convolution.h"

#include <cstring>

#include "onednn_convolution.h"
#include "parallel.h"
#include "scratch.h"

namespace chainrule {
namespace {

constexpr int64_t kBlock = 16;

// The same filters applied to the gathered pixels.
Request dense_of(Request request) {
  Geometry& g = request.geometry;
  const int64_t n_H = g.n_H(), n_W = g.n_W();
  g.n_H_prev = n_H, g.n_W_prev = n_W, g.s = 1;
  return request;
}

class Gathered : public Plan {
 public:
  explicit Gathered(const Request& request)
      : geometry_(request.geometry), way_(request.way), dense_(onednn_convolution(dense_of(request))) {
    name_ = "gathered, " + dense_->name();
  }

  void run(const Operands& o, Arena& arena) override {
    const Geometry& g = geometry_;
    float* gathered = scratch(Scratch::block, g.m * g.n_H() * g.n_W() * g.n_C_prev);
    Operands dense = o;
    if (way_ == Way::input_gradient) {
      dense.result = gathered;
      dense_->run(dense, arena);
      std::memset(o.result, 0, g.m * g.n_H_prev * g.n_W_prev * g.n_C_prev * sizeof(float));
      each_pixel([&](int64_t there, int64_t here) {
        std::memcpy(o.result + there, gathered + here, g.n_C_prev * sizeof(float));
      });
      return;
    }
    each_pixel([&](int64_t there, int64_t here) {
      std::memcpy(gathered + here, o.A_prev + there, g.n_C_prev * sizeof(float));
    });
    dense.A_prev = gathered;
    dense_->run(dense, arena);
  }

  const std::string& name() const override { return name_; }
  const std::string& layout() const override { return dense_->layout(); }
  int64_t packed_size() const override { return dense_->packed_size(); }
  void pack(const float* W, float* packed) override { dense_->pack(W, packed); }

 private:
  // Calls `visit` with the offset of each used pixel in the images and in the gathered images.
  template <typename Visit>
  void each_pixel(const Visit& visit) const {
    const Geometry& g = geometry_;
    const int64_t n_H = g.n_H(), n_W = g.n_W();
    share_evenly(g.m * n_H, true, [&](int64_t row) {
      const int64_t top = row / n_H * g.n_H_prev + row % n_H * g.s;
      for (int64_t x = 0; x < n_W; ++x)
        visit((top * g.n_W_prev + x * g.s) * g.n_C_prev, (row * n_W + x) * g.n_C_prev);
    });
  }

  Geometry geometry_;
  Way way_;
  std::unique_ptr<Plan> dense_;
  std::string name_;
};

}  // namespace

bool gathered_convolution_needed(const Geometry& g) {
  return g.f_H == 1 && g.f_W == 1 && g.s > 1 && g.groups == 1 && g.before == 0 && g.after == 0 &&
         (g.n_C_prev % kBlock != 0 || g.n_C % kBlock != 0);
}

std::unique_ptr<Plan> gathered_convolution(const Request& request) {
  return std::make_unique<Gathered>(request);
}

}  // namespace chainrule
