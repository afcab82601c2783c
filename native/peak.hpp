// The yardstick of bench/limit.py: nothing but multiply-adds, as many independent ones as there are accumulators.

namespace facesieve::ISA {

// Returns how many floating point operations were done.
static double multiply_adds(long steps) {
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
    volatile float used = total[0];  // so that the loop cannot be dropped
    (void)used;
    return 2.0 * LANES * CHAINS * static_cast<double>(steps);
}

}  // namespace facesieve::ISA
