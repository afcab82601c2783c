// Types that several source files use: a picture, boxes, the layers of the cascade, and P-Net's cells.
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

// Pixels are counted from 1, both corners belong to the box, and the box may reach beyond the picture.
struct Box {
    std::int32_t x1, y1, x2, y2;

    int width() const { return x2 - x1 + 1; }
    int height() const { return y2 - y1 + 1; }
};

// One layer of P-Net, R-Net or O-Net. pnet.hpp and crop_layers.hpp document the order of `weights`.
struct CascadeLayer {
    std::vector<float> weights, bias, slope;
};

using CascadeLayers = std::vector<CascadeLayer>;

// A position of P-Net's window whose probability reaches the threshold.
struct Cell {
    int row, column;
    float probability;
    float regression[4];
};

}  // namespace facesieve
