#include "includes.hpp"

#if defined(__x86_64__)

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")
#endif

#define FACESIEVE_AVX512
#define ISA avx512
#include "kernels.inc"

namespace facesieve {
const Kernels avx512_kernels{"avx512",
                             ISA::propose,
                             ISA::level,
                             ISA::crop,
                             ISA::judge_crops<ISA::Rnet>,
                             ISA::judge_crops<ISA::Onet>,
                             ISA::turn,
                             ISA::multiply_adds};
}

#if defined(__clang__)
#pragma clang attribute pop
#endif

#endif
