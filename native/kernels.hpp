// The kernels of one instruction set, as function pointers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "picture.hpp"
#include "pose_layers.hpp"

namespace facesieve {

struct Kernels {
    const char* name;

    // P-Net on one pyramid level of width x height; cells are appended row by row.
    void (*propose)(const Layers&, const Picture&, int width, int height, float threshold, std::vector<Cell>&);
    // The level itself, (height, width, 3).
    void (*level)(const Picture&, int width, int height, std::uint8_t* out);
    // crops: (count, side, side, 3) in 0..255.
    void (*crop)(const Picture&, const Box*, std::ptrdiff_t count, int side, float* crops);
    // R-Net and O-Net. answers: (count, ANSWERS), each a probability, four numbers of regression, O-Net's landmarks.
    void (*refine)(const Layers&, const float* crops, std::ptrdiff_t count, float* answers);
    void (*locate)(const Layers&, const float* crops, std::ptrdiff_t count, float* answers);

    // crops: (count, PoseLayers::SIDE, PoseLayers::SIDE, 3); degrees: (count, heads).
    void (*estimate_pose)(const PoseLayers&, const std::uint8_t* crops, std::ptrdiff_t count, float* degrees);

    // Multiplies and adds in registers only, as fast as the processor can; returns the number of operations.
    double (*multiply_adds)(long steps);
};

// Each is defined in the isa_*.cpp of its name, by kernels/table.hpp.
namespace avx512 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace portable {
extern const Kernels kernels;
}

// The instruction sets that this build has and this machine runs, fastest first; `portable` is always the last.
std::vector<const Kernels*> runnable();

// The kernels of that name, or the fastest for an empty name. Throws std::invalid_argument when they do not run here.
const Kernels& kernels_named(const std::string& name);

}  // namespace facesieve
