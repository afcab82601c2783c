// What travels between the files: a picture, packed weights, and what P-Net, R-Net and O-Net answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace facesieve {

constexpr int COLOURS = 3;

// Upright RGB, row after row without gaps.
struct Picture {
    const std::uint8_t* pixels;
    int width;
    int height;

    const std::uint8_t* row(int y) const { return pixels + std::ptrdiff_t{COLOURS} * width * y; }
};

// x1, y1, x2, y2 count pixels from 1, both ends inside, and may reach beyond the picture.
struct Box {
    std::int32_t x1, y1, x2, y2;

    int width() const { return x2 - x1 + 1; }
    int height() const { return y2 - y1 + 1; }
};

// One layer as the kernels read it; the order of `weights` is each network's own.
struct Layer {
    std::vector<float> weights, bias, slope;
};

using Layers = std::vector<Layer>;

// A position of P-Net's window whose probability reaches the threshold.
struct Cell {
    int row, column;
    float probability;
    float regression[4];
};

}  // namespace facesieve
