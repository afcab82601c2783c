// Approximate sigmoid and swish of whole vectors; swish(a) = a * sigmoid(a) (Ramachandran et al., 2017,
// https://arxiv.org/abs/1710.05941).
#pragma once

#include "lanes.hpp"

namespace facesieve::ISA {

// e^-a with a relative error of at most 8e-5, as 2^n 2^f with n whole and |f| <= 1/2. n is clamped to -100..60, which
// does not change 1 / (1 + e^-a) noticeably. The bits of n + SHIFT have the order of n, and clamping them as integers
// is cheaper than clamping a.
inline Lanes exp_negative(Lanes a) {
    const Lanes scale = broadcast(-1.44269504f), shift = broadcast(SHIFT);
    const Lanes shifted = multiply_add(a, scale, shift);
    const Lanes f = multiply_add(a, scale, shift - shifted);
    // The polynomial of degree 3 with the least relative error, 7.5e-5 (Remez exchange).
    Lanes power = multiply_add(f, broadcast(0.05517167f), broadcast(0.24261113f));
    power = multiply_add(f, power, broadcast(0.69326097f));
    power = multiply_add(f, power, broadcast(0.99992806f));
    const Whole least = (Whole)broadcast(SHIFT - 100.f), most = (Whole)broadcast(SHIFT + 60.f);
    Whole whole = (Whole)shifted;
    whole = whole > least ? whole : least;
    whole = whole < most ? whole : most;
    return (Lanes)((Whole)power + (whole << 23));
}

inline Lanes fast_sigmoid(Lanes a) { return broadcast(1.f) / (broadcast(1.f) + exp_negative(a)); }
inline Lanes swish(Lanes a) { return a / (broadcast(1.f) + exp_negative(a)); }
constexpr float SWISH_DEPTH = 0.2784646f;  // the minimum of swish is -SWISH_DEPTH, at -1.2784646

}  // namespace facesieve::ISA
