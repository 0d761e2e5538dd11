// Times of our kernels beside oneDNN's, in turns, on the same arrays.
//
//     kernel_speed [norm | thin | small | large | one]
#include <dnnl.hpp>
#include <omp.h>

#include <cstdio>
#include <functional>
#include <ctime>
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

  Rival(const Geometry& g, Way way, float* A_prev, float* dZ)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    const memory::dims x{g.m, g.n_C_prev, g.n_H_prev, g.n_W_prev},
        w{g.n_C, g.n_C_prev, g.f_H, g.f_W}, z{g.m, g.n_C, g.n_H(), g.n_W()}, s{g.s, g.s},
        before{g.before, g.before}, after{g.after, g.after};
    const auto f32 = memory::data_type::f32;
    const memory::desc X(x, f32, Tag::nhwc), W(w, f32, Tag::any), Z(z, f32, Tag::nhwc);
    const auto direct = dnnl::algorithm::convolution_direct;
    using Forward = dnnl::convolution_forward;
    using Input = dnnl::convolution_backward_data;
    using Filter = dnnl::convolution_backward_weights;
    const Forward::primitive_desc plan(
        Forward::desc(dnnl::prop_kind::forward_training, direct, X, W, Z, s, before, after),
        engine_);
    const memory x_memory(X, engine_, A_prev), z_memory(Z, engine_, dZ);
    if (way == forward) {
      const memory filters(plan.weights_desc(), engine_);
      primitive_ = Forward(plan);
      arguments_ = {
          {DNNL_ARG_SRC, x_memory}, {DNNL_ARG_WEIGHTS, filters}, {DNNL_ARG_DST, z_memory}};
    } else if (way == input_gradient) {
      const Input::primitive_desc back(Input::desc(direct, X, W, Z, s, before, after), engine_,
                                       plan);
      const memory filters(back.weights_desc(), engine_);
      primitive_ = Input(back);
      arguments_ = {{DNNL_ARG_DIFF_SRC, x_memory},
                    {DNNL_ARG_WEIGHTS, filters},
                    {DNNL_ARG_DIFF_DST, z_memory}};
    } else {
      const Filter::primitive_desc back(Filter::desc(direct, X, W, Z, s, before, after), engine_,
                                        plan);
      const memory filters(back.diff_weights_desc(), engine_);
      primitive_ = Filter(back);
      arguments_ = {{DNNL_ARG_SRC, x_memory},
                    {DNNL_ARG_DIFF_WEIGHTS, filters},
                    {DNNL_ARG_DIFF_DST, z_memory}};
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

// One thread's own time, which nobody else's work makes longer; that on the wall, if there are more
// threads.
double milliseconds() {
  timespec now;
  clock_gettime(omp_get_max_threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1e3 + now.tv_nsec * 1e-6;
}

double once(const std::function<void()>& work) {
  const double start = milliseconds();
  work();
  return milliseconds() - start;
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
  std::printf("  %-6s %8.3f ms %4.0f GFLOP/s, oneDNN %8.3f, %.2f times\n", what, times.ours,
              operations / times.ours / 1e6, times.theirs, times.theirs / times.ours);
  std::fflush(stdout);
}

void convolution(const Geometry& g) {
  Floats X = normal(input_size(g), 1, 1),
         W = normal(filter_size(g), std::sqrt(2.0 / 9 / g.n_C_prev), 2),
         dZ = normal(output_size(g), 1, 3);
  Floats Z(output_size(g)), dX(input_size(g)), dW(filter_size(g)),
      packed(winograd_packed_size(g.n_C_prev, g.n_C));
  const double operations = 2.0 * output_size(g) * g.f_H * g.f_W * g.n_C_prev;
  std::printf("%ld x %ldx%ld %ld -> %ld\n", long(g.m), long(g.n_H_prev), long(g.n_W_prev),
              long(g.n_C_prev), long(g.n_C));
  const bool thin = !winograd_supported(g);
  if (!thin) {
    Rival forward(g, Rival::forward, X.data(), Z.data());
    say("Z",
        race([&] { winograd_forward(g, X.data(), W.data(), {}, Z.data()); },
             [&] { forward.run(); }),
        operations);
    winograd_pack(g.n_C_prev, g.n_C, W.data(), packed.data());
    say("packed",
        race([&] { winograd_forward_packed(g, X.data(), packed.data(), {}, Z.data()); },
             [&] { forward.run(); }),
        operations);
    Rival input(g, Rival::input_gradient, dX.data(), dZ.data());
    say("dA",
        race([&] { winograd_input_gradient(g, dZ.data(), W.data(), nullptr, dX.data()); },
             [&] { input.run(); }),
        operations);
  }
  Rival filter(g, Rival::filter_gradient, X.data(), dZ.data());
  say("dW",
      race(
          [&] {
            if (thin)
              thin_convolution_filter_gradient(g, X.data(), dZ.data(), dW.data(), nullptr);
            else
              winograd_filter_gradient(g, X.data(), dZ.data(), dW.data(), nullptr);
          },
          [&] { filter.run(); }),
      operations);
}

// oneDNN's batch norm, with ReLU after it, on the same rows; a residual would be a pass of its own.
class RivalNorm {
 public:
  RivalNorm(const BatchNorm& n, float* Z, float* A, float* dA, float* dZ)
      : engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    const memory::desc rows({n.examples, n.channels, n.positions, 1}, memory::data_type::f32,
                            Tag::nhwc);
    const auto flags = dnnl::normalization_flags::use_scale | dnnl::normalization_flags::use_shift |
                       dnnl::normalization_flags::fuse_norm_relu;
    using Forward = dnnl::batch_normalization_forward;
    using Backward = dnnl::batch_normalization_backward;
    const Forward::primitive_desc plan(
        Forward::desc(dnnl::prop_kind::forward_training, rows, n.epsilon, flags), engine_);
    const Backward::primitive_desc back(
        Backward::desc(dnnl::prop_kind::backward, rows, rows, n.epsilon, flags), engine_, plan);
    const auto channels = [&] {
      return memory({{n.channels}, memory::data_type::f32, Tag::x}, engine_);
    };
    const memory mean = channels(), variance = channels(), scale = channels(), shift = channels(),
                 mask(plan.workspace_desc(), engine_);
    std::fill_n(static_cast<float*>(scale.get_data_handle()), n.channels, 1.0f);
    std::fill_n(static_cast<float*>(shift.get_data_handle()), n.channels, 0.0f);
    forward_ = Forward(plan), backward_ = Backward(back);
    there_ = {{DNNL_ARG_SRC, memory(rows, engine_, Z)},
              {DNNL_ARG_DST, memory(rows, engine_, A)},
              {DNNL_ARG_MEAN, mean},
              {DNNL_ARG_VARIANCE, variance},
              {DNNL_ARG_SCALE, scale},
              {DNNL_ARG_SHIFT, shift},
              {DNNL_ARG_WORKSPACE, mask}};
    back_ = {{DNNL_ARG_SRC, memory(rows, engine_, Z)},
             {DNNL_ARG_DIFF_DST, memory(rows, engine_, dA)},
             {DNNL_ARG_MEAN, mean},
             {DNNL_ARG_VARIANCE, variance},
             {DNNL_ARG_SCALE, scale},
             {DNNL_ARG_SHIFT, shift},
             {DNNL_ARG_DIFF_SRC, memory(rows, engine_, dZ)},
             {DNNL_ARG_DIFF_SCALE, channels()},
             {DNNL_ARG_DIFF_SHIFT, channels()},
             {DNNL_ARG_WORKSPACE, mask}};
  }

  void forward() { forward_.execute(stream_, there_), stream_.wait(); }
  void backward() { backward_.execute(stream_, back_), stream_.wait(); }

 private:
  dnnl::engine engine_;
  dnnl::stream stream_;
  dnnl::primitive forward_, backward_;
  std::unordered_map<int, memory> there_, back_;
};

void normalized(const BatchNorm& n) {
  const int64_t size = n.examples * n.positions * n.channels, C = n.channels;
  Floats Z = normal(size, 1, 1), dA = normal(size, 1, 2), R = normal(size, 1, 3), A(size), dZ(size),
         dR(size);
  Floats gamma(C, 1), beta(C), mean(C), variance(C), d_gamma(C), d_beta(C);
  Floats their_A(size), their_dZ(size);
  RivalNorm rival(n, Z.data(), their_A.data(), dA.data(), their_dZ.data());
  std::printf("batch norm %ld x %ld x %ld\n", long(n.examples), long(n.positions), long(C));
  for (const float* residual :
       {static_cast<const float*>(nullptr), static_cast<const float*>(R.data())}) {
    float* d_residual = residual ? dR.data() : nullptr;
    const Times there = race(
        [&] {
          batch_norm_forward(n, Z.data(), gamma.data(), beta.data(), nullptr, residual, true,
                             A.data(), mean.data(), variance.data());
        },
        [&] { rival.forward(); });
    const Times back = race(
        [&] {
          batch_norm_backward(n, dA.data(), A.data(), Z.data(), gamma.data(), mean.data(),
                              variance.data(), nullptr, nullptr, nullptr, dZ.data(), d_gamma.data(), d_beta.data(),
                              d_residual);
        },
        [&] { rival.backward(); });
    std::printf("  %-9s forward %.3f ms, oneDNN %.3f; backward %.3f ms, oneDNN %.3f\n",
                residual ? "residual" : "", there.ours, there.theirs, back.ours, back.theirs);
  }
}

Geometry square(int64_t m, int64_t size, int64_t n_C_prev, int64_t n_C) {
  return {m, size, size, n_C_prev, 3, 3, n_C, 1, 1, 1, 1};
}

int run(const std::string& group) {
  const bool every = group == "all";
  if (every || group == "norm")
    for (const BatchNorm& n : {BatchNorm{64, 1024, 16, 1e-5f}, BatchNorm{64, 256, 32, 1e-5f},
                               BatchNorm{64, 64, 64, 1e-5f}, BatchNorm{16, 3136, 256, 1e-5f}})
      normalized(n);
  if (every || group == "thin")
    for (const Geometry& g : {square(64, 32, 3, 16), square(64, 28, 1, 32),
                              Geometry{16, 224, 224, 3, 7, 7, 64, 1, 2, 3, 3}})
      convolution(g);
  if (every || group == "small")
    for (const Geometry& g : {square(64, 32, 16, 16), square(64, 16, 32, 32), square(64, 8, 64, 64),
                              square(64, 28, 32, 64), square(64, 14, 32, 64)})
      convolution(g);
  if (every || group == "large")
    for (const Geometry& g :
         {square(32, 56, 64, 64), square(16, 56, 64, 64), square(16, 28, 128, 128),
          square(16, 14, 256, 256), square(16, 7, 512, 512)})
      convolution(g);
  if (every || group == "one")
    for (const Geometry& g : {square(1, 56, 64, 64), square(1, 28, 128, 128),
                              square(1, 14, 256, 256), square(1, 7, 512, 512)})
      convolution(g);
  return 0;
}

}  // namespace
}  // namespace chainrule

int main(int count, char** words) { return chainrule::run(count > 1 ? words[1] : "all"); }
