// Times of our kernels beside oneDNN's, in turns, on the same arrays.
//
//     kernel_speed [name of a group]
#include <dnnl.hpp>
#include <omp.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>

#include "../src/batch_norm.h"
#include "../src/thin_convolution.h"
#include "../src/winograd.h"
#include "numbers.h"

namespace chainrule {
namespace {

using dnnl::memory;
using Tag = memory::format_tag;

// oneDNN's convolution in the layout it likes for filters, without the cost of getting there.
class Rival {
 public:
  enum Way { forward, input_gradient, filter_gradient };

  Rival(const Geometry& g, Way way, float* A_prev, float* dZ) : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    const memory::dims x{g.m, g.n_C_prev, g.n_H_prev, g.n_W_prev}, w{g.n_C, g.n_C_prev, g.f_H, g.f_W},
        z{g.m, g.n_C, g.n_H(), g.n_W()}, s{g.s, g.s}, before{g.before, g.before}, after{g.after, g.after};
    const auto f32 = memory::data_type::f32;
    const memory::desc X(x, f32, Tag::nhwc), W(w, f32, Tag::any), Z(z, f32, Tag::nhwc);
    const auto direct = dnnl::algorithm::convolution_direct;
    using Forward = dnnl::convolution_forward;
    using Input = dnnl::convolution_backward_data;
    using Filter = dnnl::convolution_backward_weights;
    const Forward::primitive_desc plan(Forward::desc(dnnl::prop_kind::forward_training, direct, X, W, Z, s, before, after), engine_);
    const memory x_memory(X, engine_, A_prev), z_memory(Z, engine_, dZ);
    if (way == forward) {
      const memory filters(plan.weights_desc(), engine_);
      primitive_ = Forward(plan);
      arguments_ = {{DNNL_ARG_SRC, x_memory}, {DNNL_ARG_WEIGHTS, filters}, {DNNL_ARG_DST, z_memory}};
    } else if (way == input_gradient) {
      const Input::primitive_desc back(Input::desc(direct, X, W, Z, s, before, after), engine_, plan);
      const memory filters(back.weights_desc(), engine_);
      primitive_ = Input(back);
      arguments_ = {{DNNL_ARG_DIFF_SRC, x_memory}, {DNNL_ARG_WEIGHTS, filters}, {DNNL_ARG_DIFF_DST, z_memory}};
    } else {
      const Filter::primitive_desc back(Filter::desc(direct, X, W, Z, s, before, after), engine_, plan);
      const memory filters(back.diff_weights_desc(), engine_);
      primitive_ = Filter(back);
      arguments_ = {{DNNL_ARG_SRC, x_memory}, {DNNL_ARG_DIFF_WEIGHTS, filters}, {DNNL_ARG_DIFF_DST, z_memory}};
    }
  }

  void run() {
    primitive_.execute(stream_, arguments_);
    stream_.wait();
  }

 private:
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::primitive primitive_;
  std::unordered_map<int, memory> arguments_;
};

double once(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
  return took.count();
}

double typical(std::vector<double> times) {
  std::nth_element(times.begin(), times.begin() + times.size() / 5, times.end());
  return times[times.size() / 5];
}

struct Times {
  double ours, theirs;
};

// In turns, so that whatever else the machine does meets both.
Times race(const std::function<void()>& ours, const std::function<void()>& theirs) {
  ours(), theirs();
  std::vector<double> first, second;
  for (double spent = 0; first.size() < 7 || spent < 250;) {
    first.push_back(once(ours));
    second.push_back(once(theirs));
    spent += first.back() + second.back();
  }
  return {typical(first), typical(second)};
}

void say(const char* what, Times times, double operations) {
  std::printf("  %s %7.3f ms %4.0f GFLOP/s, oneDNN %7.3f, %.2f times", what, times.ours, operations / times.ours / 1e6,
              times.theirs, times.theirs / times.ours);
  std::fflush(stdout);
}

void convolution(const Geometry& g) {
  Floats X = normal(input_size(g), 1, 1), W = normal(filter_size(g), std::sqrt(2.0 / 9 / g.n_C_prev), 2),
         dZ = normal(output_size(g), 1, 3);
  Floats Z(output_size(g)), dX(input_size(g)), dW(filter_size(g)), packed(winograd_packed_size(g.n_C_prev, g.n_C));
  const double operations = 2.0 * output_size(g) * g.f_H * g.f_W * g.n_C_prev;
  std::printf("%3ld x %3ldx%-3ld %3ld -> %3ld", long(g.m), long(g.n_H_prev), long(g.n_W_prev), long(g.n_C_prev), long(g.n_C));
  const bool thin = !winograd_supported(g);
  Rival forward(g, Rival::forward, X.data(), Z.data());
  say("Z", race([&] {
    if (thin) thin_convolution_forward(g, X.data(), W.data(), {}, Z.data());
    else winograd_forward(g, X.data(), W.data(), {}, Z.data());
  }, [&] { forward.run(); }), operations);
  if (!thin) {
    winograd_pack(g.n_C_prev, g.n_C, W.data(), packed.data());
    say("packed", race([&] { winograd_forward_packed(g, X.data(), packed.data(), {}, Z.data()); }, [&] { forward.run(); }), operations);
    Rival input(g, Rival::input_gradient, dX.data(), dZ.data());
    say("dA", race([&] { winograd_input_gradient(g, dZ.data(), W.data(), nullptr, dX.data()); }, [&] { input.run(); }), operations);
  }
  Rival filter(g, Rival::filter_gradient, X.data(), dZ.data());
  say("dW", race([&] {
    if (thin) thin_convolution_filter_gradient(g, X.data(), dZ.data(), dW.data(), nullptr);
    else winograd_filter_gradient(g, X.data(), dZ.data(), dW.data(), nullptr);
  }, [&] { filter.run(); }), operations);
  std::puts("");
}

Geometry square(int64_t m, int64_t size, int64_t n_C_prev, int64_t n_C) {
  return {m, size, size, n_C_prev, 3, 3, n_C, 1, 1, 1, 1};
}

int run(const std::string& group) {
  const bool every = group == "all";
  if (every || group == "small")
    for (const Geometry& g : {square(64, 32, 16, 16), square(64, 16, 32, 32), square(64, 8, 64, 64), square(64, 28, 32, 64), square(64, 14, 32, 64)})
      convolution(g);
  if (every || group == "large")
    for (const Geometry& g : {square(32, 56, 64, 64), square(16, 56, 64, 64), square(16, 28, 128, 128), square(16, 14, 256, 256), square(16, 7, 512, 512)})
      convolution(g);
  if (every || group == "one")
    for (const Geometry& g : {square(1, 56, 64, 64), square(1, 28, 128, 128), square(1, 14, 256, 256), square(1, 7, 512, 512)})
      convolution(g);
  return 0;
}

}  // namespace
}  // namespace chainrule

int main(int count, char** words) { return chainrule::run(count > 1 ? words[1] : "all"); }
