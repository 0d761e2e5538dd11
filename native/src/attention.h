// Attention with several heads: each query takes a weighted mean of the values.
//
//     Q, A  (m, T_q, heads · d)    K (m, T_k, heads · d)    V (m, T_k, heads · d_v), A likewise
//     weights  (m, heads, T_q, T_k)
//
//     forward     S = scale · Q Kᵀ; weights = softmax of S over the visible keys; A = weights V
//     backward    dV = weightsᵀ dA; dS = scale · weights ⊙ (dA Vᵀ − Σ dA ⊙ A);
//                 dQ = dS K; dK = dSᵀ Q
//
// These are the products of one head of one example, whose numbers lie side by side in a row. S is
// computed for some queries at a time and stays in the cache. A query that sees no key has the
// weights 0.
//
// Arrays are contiguous float32, without alignment beyond that of a float. Plain functions, safe to
// call from several threads; any number of threads that share the work gives the same bits. Scratch
// memory: each thread 260 bytes · T_k and a head of K or V. The process ends if memory runs out.
#pragma once

#include <cstdint>

#include "sharing.h"

namespace chainrule {

// d and d_v are the features of a head.
struct Attention {
  int64_t m, heads, T_q, T_k, d, d_v;
  float scale;
  // Whether a query sees a key, T_k numbers for each query, or null: all are visible. The strides
  // are those between examples and between queries, 0 if all of them have the same mask.
  const bool* mask;
  int64_t mask_example, mask_query;
};

struct AttentionForward {
  const float *Q, *K, *V;
  float *A, *weights;
};

struct AttentionBackward {
  const float *Q, *K, *V, *A, *weights, *dA;
  float *dQ, *dK, *dV;
};

// Returns whether the CPU has AVX2 and FMA, no size is 0, and d and d_v are multiples of 16.
bool attention_supported(const Attention& attention);

void attention_forward(const Attention& attention, const AttentionForward& arrays,
                       const Sharing& sharing);
void attention_backward(const Attention& attention, const AttentionBackward& arrays,
                        const Sharing& sharing);

}  // namespace chainrule
