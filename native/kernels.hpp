// The kernels of one instruction set as function pointers.
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

    // P-Net on one pyramid level of width x height; appends the cells row by row.
    void (*propose)(const CascadeLayers&, const Picture&, int width, int height, float threshold, std::vector<Cell>&);
    // Computes the level itself, (height, width, 3).
    void (*level)(const Picture&, int width, int height, std::uint8_t* out);
    // Cuts boxes out of a picture. crops: (count, side, side, 3) in 0..255.
    void (*crop)(const Picture&, const Box*, std::ptrdiff_t count, int side, float* crops);
    // R-Net and O-Net on crops. answers: (count, ANSWERS): a probability, four numbers of regression, and ten of
    // landmarks in O-Net.
    void (*refine)(const CascadeLayers&, const float* crops, std::ptrdiff_t count, float* answers);
    void (*locate)(const CascadeLayers&, const float* crops, std::ptrdiff_t count, float* answers);

    // crops: (count, Sievepose::SIDE, Sievepose::SIDE, 3); angles: (count, 2, Sievepose::HEADS), then spreads.
    void (*run_sievepose)(const SieveposeLayers&, const std::uint8_t* crops, std::ptrdiff_t count, float* angles);

    // Multiplies and adds in registers only, as fast as the processor can; returns the number of operations.
    double (*run_multiply_adds)(long steps);
};

// Each of these is defined by kernels/table.hpp in the file isa_*.cpp of its name.
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
std::vector<const Kernels*> runnable_kernels();

// The kernels of that name, or the fastest for an empty name. Throws std::invalid_argument when they do not run here.
const Kernels& kernels_named(const std::string& name);

}  // namespace facesieve
