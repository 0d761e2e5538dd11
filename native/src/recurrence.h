// The loops of recurrent layers over time: what remains when the products of the inputs of all
// steps are computed before them, and the gradients of the weights after them.
//
// Examples are independent of each other, so each thread runs through all steps with its own rows.
// The products of a step and the activations that follow are computed block by block in the cache.
//
//     Z, G, dZ  (T, m, gates · n)    W_x X[t] without b; the activations; the gradient of Z
//     W_a       (gates · n, n)       the part of W that multiplies the state
//     A, C, H   (T, m, n)            a0, c0 (m, n); lengths (m), or null if all steps are real
//
//     rnn        a = g(z), tanh or relu; G is A
//     lstm       u, f, o = σ(z), c̃ = tanh(z): c = u c̃ + f c_prev, a = o tanh(c)
//     gru_before u, r = σ(z), c̃ = tanh(z_c + W_c (r c_prev)); H = r c_prev
//     gru_after  u, r = σ(z), c̃ = tanh(z_c + r H), H = W_c c_prev + b_h
//     gru_none   u = σ(z), c̃ = tanh(z_c); in all three a = u c̃ + (1 − u) c_prev
//
// At a step that is not real, the state stays, the results and dZ are 0, and the gradient of the
// state passes unchanged. With `reverse` the steps run from the last to the first.
//
// Arrays are contiguous float32, without alignment beyond that of a float. Plain functions, safe to
// call from several threads; any number of threads that share the work gives the same bits. Scratch
// memory: the caller's thread keeps W_a packed, and each thread up to 800 bytes · n and 25 KB. The
// process ends if memory runs out.
#pragma once

#include <cstdint>

#include "sharing.h"

namespace chainrule {

enum class Cell { rnn_tanh, rnn_relu, lstm, gru_before, gru_after, gru_none };

struct Recurrence {
  Cell cell;
  int64_t T, m, n;
  bool reverse;
  const int32_t* lengths;

  // How many blocks of n rows W_a has.
  constexpr int64_t gates() const {
    switch (cell) {
      case Cell::lstm:
        return 4;
      case Cell::gru_before:
      case Cell::gru_after:
        return 3;
      case Cell::gru_none:
        return 2;
      default:
        return 1;
    }
  }

  // How many blocks of n numbers b has.
  constexpr int64_t biases() const { return gates() + (cell == Cell::gru_after); }
};

// G is Z at first, and is overwritten. C and c0 are those of the LSTM, H that of the GRU; a0 is the
// c0 of the GRU, and A its C.
struct RecurrenceForward {
  float* G;
  const float *W_a, *b, *a0, *c0;
  float *A, *C, *H;
};

// dZ may be G. dH is H of gru_after at first, and is overwritten.
struct RecurrenceBackward {
  const float *G, *W_a, *a0, *c0, *A, *C, *dA, *dC;
  float *dZ, *dH, *da0, *dc0;
};

// Returns whether the CPU has AVX2 and FMA, and n, T and m are at least 1.
bool recurrence_supported(const Recurrence& recurrence);

void recurrence_forward(const Recurrence& recurrence, const RecurrenceForward& arrays,
                        const Sharing& sharing);
void recurrence_backward(const Recurrence& recurrence, const RecurrenceBackward& arrays,
                         const Sharing& sharing);

}  // namespace chainrule
