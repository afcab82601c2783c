// The reference of bench/limit.py: only multiply-adds, with enough independent sums to keep the multipliers busy.
#pragma once

#include "lanes.hpp"

namespace facesieve::ISA {

// Returns the number of floating point operations.
inline double run_multiply_adds(long steps) {
    constexpr int CHAINS = REGISTERS >= 32 ? 24 : 12;
    Lanes sum[CHAINS];
#pragma GCC unroll 24
    for (int i = 0; i < CHAINS; ++i) sum[i] = broadcast(static_cast<float>(i));
    const Lanes factor = broadcast(0.999f), term = broadcast(0.001f);
    for (long step = 0; step < steps; ++step)
#pragma GCC unroll 24
        for (int i = 0; i < CHAINS; ++i) sum[i] = multiply_add(sum[i], factor, term);
    Lanes total = sum[0];
#pragma GCC unroll 24
    for (int i = 1; i < CHAINS; ++i) total += sum[i];
    volatile float used = total[0];  // otherwise the compiler removes the loop
    (void)used;
    return 2.0 * LANES * CHAINS * static_cast<double>(steps);
}

}  // namespace facesieve::ISA
