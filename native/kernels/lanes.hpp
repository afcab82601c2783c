// The vector of floats of one instruction set, and the operations that the kernels need.
// The headers in this folder are compiled once for each instruction set, each time in a namespace of its own (ISA).
// Otherwise the linker could replace a function for one processor by the same function for another. Every instruction
// set but `portable` on x86-64 fuses multiply and add.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

// Each isa_*.cpp defines ISA. A tool that reads a header alone sees the portable kernels.
#ifndef ISA
#define ISA portable
#endif

#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wpsabi"
// GCC's own avx512fintrin.h, https://gcc.gnu.org/bugzilla/show_bug.cgi?id=105593
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

namespace facesieve::ISA {

#if defined(FACESIEVE_AVX512)

using Lanes = __m512;
constexpr int REGISTERS = 32;
constexpr int ACCUMULATORS = 27;

inline Lanes load(const float* at) { return _mm512_loadu_ps(at); }
inline void store(float* at, Lanes a) { _mm512_storeu_ps(at, a); }
inline Lanes broadcast(float a) { return _mm512_set1_ps(a); }
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return _mm512_fmadd_ps(a, b, c); }
inline Lanes larger(Lanes a, Lanes b) { return _mm512_max_ps(a, b); }
inline Lanes smaller(Lanes a, Lanes b) { return _mm512_min_ps(a, b); }
inline bool any_above(Lanes a, Lanes b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ) != 0; }
inline Lanes widen(const std::uint8_t* at) {
    return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(at))));
}

#elif defined(FACESIEVE_AVX2)

using Lanes = __m256;
constexpr int REGISTERS = 16;
constexpr int ACCUMULATORS = 12;

inline Lanes load(const float* at) { return _mm256_loadu_ps(at); }
inline void store(float* at, Lanes a) { _mm256_storeu_ps(at, a); }
inline Lanes broadcast(float a) { return _mm256_set1_ps(a); }
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return _mm256_fmadd_ps(a, b, c); }
inline Lanes larger(Lanes a, Lanes b) { return _mm256_max_ps(a, b); }
inline Lanes smaller(Lanes a, Lanes b) { return _mm256_min_ps(a, b); }
inline bool any_above(Lanes a, Lanes b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_GT_OQ)) != 0; }
inline Lanes widen(const std::uint8_t* at) {
    return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(at))));
}

#else  // vectors of the compiler: SSE2 on x86-64, NEON on aarch64

typedef float Lanes __attribute__((vector_size(16)));
#if defined(__aarch64__)
constexpr int REGISTERS = 32;
constexpr int ACCUMULATORS = 24;
#else
constexpr int REGISTERS = 15;  // of 16: a product that is not fused needs a register
constexpr int ACCUMULATORS = 12;
#endif

inline Lanes load(const float* at) {
    Lanes a;
    std::memcpy(&a, at, sizeof a);
    return a;
}
inline void store(float* at, Lanes a) { std::memcpy(at, &a, sizeof a); }
inline Lanes broadcast(float a) { return Lanes{a, a, a, a}; }
#if defined(__aarch64__)
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return vfmaq_f32(c, a, b); }
#else
inline Lanes multiply_add(Lanes a, Lanes b, Lanes c) { return a * b + c; }
#endif
inline Lanes larger(Lanes a, Lanes b) { return a > b ? a : b; }
inline Lanes smaller(Lanes a, Lanes b) { return a < b ? a : b; }
inline bool any_above(Lanes a, Lanes b) {
    const auto above = a > b;
    return (above[0] | above[1] | above[2] | above[3]) != 0;
}
#if defined(__SSE2__)
inline Lanes widen(const std::uint8_t* at) {
    int four;
    std::memcpy(&four, at, sizeof four);
    const __m128i zero = _mm_setzero_si128();
    return _mm_cvtepi32_ps(_mm_unpacklo_epi16(_mm_unpacklo_epi8(_mm_cvtsi32_si128(four), zero), zero));
}
#else
inline Lanes widen(const std::uint8_t* at) {
    return Lanes{static_cast<float>(at[0]), static_cast<float>(at[1]), static_cast<float>(at[2]),
                 static_cast<float>(at[3])};
}
#endif

#endif

constexpr int LANES = sizeof(Lanes) / sizeof(float);
// The same for one number, fused where the vectors' is.
inline float multiply_add(float a, float b, float c) {
#if defined(FACESIEVE_AVX512) || defined(FACESIEVE_AVX2) || defined(__aarch64__)
    return __builtin_fmaf(a, b, c);
#else
    return a * b + c;
#endif
}

// The first `count` lanes of a, the others of b.
inline Lanes first_lanes(int count, Lanes a, Lanes b) {
    Lanes index;
#pragma GCC unroll 16
    for (int i = 0; i < LANES; ++i) index[i] = static_cast<float>(i);
    return index < broadcast(static_cast<float>(count)) ? a : b;
}

inline Lanes magnitude(Lanes a) { return larger(a, -a); }

inline float largest(Lanes a) {
    float most = a[0];
    for (int i = 1; i < LANES; ++i) most = std::max(most, static_cast<float>(a[i]));
    return most;
}

// a + SHIFT, for |a| < 2^22, has no bits left for a fraction: its last bits are the whole number nearest to a, halves
// rounded to even.
constexpr float SHIFT = 12582912.f;  // 1.5 * 2^23

inline Lanes nearest(Lanes a) { return (a + broadcast(SHIFT)) - broadcast(SHIFT); }

inline Lanes prelu(Lanes a, Lanes slope) {
    const Lanes zero = broadcast(0.f);
    return multiply_add(slope, smaller(a, zero), larger(a, zero));
}

// In single precision on purpose: near 1 the sum has few bits left, so many windows have exactly the same score, as in
// the reference. So suppression sees the same ties.
inline float sigmoid(float logit) { return 1.f / (1.f + std::exp(-logit)); }

}  // namespace facesieve::ISA
