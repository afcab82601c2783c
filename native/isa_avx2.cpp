// The kernels for AVX2.
#include "kernels/baseline.hpp"

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

#define FACESIEVE_AVX2
#define ISA avx2
#include "kernels/table.hpp"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
