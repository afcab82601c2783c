// The kernels for AVX-512.
#include "kernels/baseline.hpp"

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), \
                             apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif

#define FACESIEVE_AVX512
#define ISA avx512
#include "kernels/table.hpp"

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
