// Batch norm of images, with the ReLU and the residual that follow it, in as few passes over memory
// as possible.
//
//     forward     mean = Σ p Z; variance = Σ p (Z − mean)²; Z_norm = (Z − mean) / √(variance + ε);
//                 A = relu(γ ⊙ Z_norm + β + residual)
//     backward    dγ = Σ dA ⊙ Z_norm; dβ = Σ dA;
//                 dZ = γ / √(variance + ε) ⊙ (dA − p (dβ + Z_norm ⊙ dγ))
//                      + p (dmean + 2 dvariance ⊙ (Z − mean))
//                 where dA has already been set to 0 where the ReLU returned 0: that is d_residual
//
// p is the share of a position: weight / (Σ weights · positions), or 1 / (examples · positions).
// Z is (examples, positions, channels), contiguous, with positions = n_H · n_W; so are A, residual,
// dA, dZ. mean, variance, gamma, beta and their gradients are (channels); weights are (examples).
//
// Plain functions, safe to call from several threads; the work is shared among the OpenMP threads,
// and the order of a sum depends only on the shape: any number of threads gives the same bits.
// Inputs and outputs may not overlap unless stated otherwise. Scratch memory: a few KB per channel,
// owned by the caller's thread.
#pragma once

#include <cstdint>

namespace chainrule {

struct BatchNorm {
  std::int64_t examples, positions, channels;
  float epsilon;
};

// Returns whether the CPU has AVX2 and FMA and all sizes are at least 1.
bool batch_norm_supported(const BatchNorm& norm);

// Computes A, mean and variance (biased, never below 0). weights and residual may be null. An
// example of weight 0 has no influence on mean and variance, whatever its values. A may be residual.
void batch_norm_forward(const BatchNorm& norm, const float* Z, const float* gamma,
                        const float* beta, const float* weights, const float* residual, bool relu,
                        float* A, float* mean, float* variance);

// Computes dZ, d_gamma, d_beta from dA. A, the output of the forward pass, is null without a ReLU.
// d_residual may be null; without a ReLU it would be dA itself. d_residual or dZ may be dA.
// d_mean and d_variance, the gradients of the other outputs, may be null, and so may weights.
void batch_norm_backward(const BatchNorm& norm, const float* dA, const float* A, const float* Z,
                         const float* gamma, const float* mean, const float* variance,
                         const float* d_mean, const float* d_variance, const float* weights,
                         float* dZ, float* d_gamma, float* d_beta,
                         float* d_residual);

}  // namespace chainrule
