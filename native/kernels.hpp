// The kernels of one instruction set behind plain function pointers.
#pragma once

#include <string>

#include "efficient.hpp"
#include "picture.hpp"

namespace facesieve {

struct Kernels {
    const char* name;

    // P-Net on one pyramid level of width x height; cells are appended row by row.
    void (*propose)(const Layers&, const Picture&, int width, int height, float threshold, std::vector<Cell>&);
    // The level itself, (height, width, 3).
    void (*level)(const Picture&, int width, int height, std::uint8_t* out);
    // crops: (count, side, side, 3) in 0..255.
    void (*crop)(const Picture&, const Box*, std::ptrdiff_t count, int side, float* crops);
    // answers: (count, 5) probability and regression; (count, 15) with ten landmark numbers.
    void (*refine)(const Layers&, const float* crops, std::ptrdiff_t count, float* answers);
    void (*locate)(const Layers&, const float* crops, std::ptrdiff_t count, float* answers);

    // crops: (count, Efficient::SIDE, Efficient::SIDE, 3); degrees: (count, heads).
    void (*turn)(const Efficient&, const std::uint8_t* crops, std::ptrdiff_t count, float* degrees);

    // Only multiplies and adds, as fast as registers allow; returns how many operations that were.
    double (*multiply_adds)(long steps);
};

// Defined by kernels.inc, in the file of each instruction set.
namespace avx512 { extern const Kernels kernels; }
namespace avx2 { extern const Kernels kernels; }
namespace portable { extern const Kernels kernels; }

// The instruction sets that this build has and this machine runs, fastest first; `portable` is always the last.
std::vector<const Kernels*> runnable();

// The kernels of that name, or the fastest for an empty name. Throws std::invalid_argument when they do not run here.
const Kernels& kernels_named(const std::string& name);

}  // namespace facesieve
