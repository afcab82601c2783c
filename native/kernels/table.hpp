// The table of one instruction set's kernels.
#pragma once

#include <cstddef>
#include <cstdint>

#include "../architecture.hpp"
#include "../kernels.hpp"
#include "../picture.hpp"
#include "crop_networks.hpp"
#include "lanes.hpp"
#include "peak.hpp"
#include "pnet.hpp"
#include "resample.hpp"
#include "sievepose.hpp"

namespace facesieve::ISA {

inline void write_level(const Picture& picture, int width, int height, std::uint8_t* out) {
    Level rows(picture, width, height);
    for (int y = 0; y < height; ++y) {
        const float* row = rows.row(y);
        for (int i = 0; i < COLOURS * width; ++i) *out++ = static_cast<std::uint8_t>(row[i]);
    }
}

inline void crop_boxes(const Picture& picture, const Box* boxes, std::ptrdiff_t count, int side, float* crops) {
    Cutter cutter(picture, side);
    for (std::ptrdiff_t i = 0; i < count; ++i) cutter.cut(boxes[i], crops + i * side * side * COLOURS);
}

#define FACESIEVE_TEXT_OF(name) #name
#define FACESIEVE_TEXT(name) FACESIEVE_TEXT_OF(name)
const Kernels kernels{FACESIEVE_TEXT(ISA),    propose,       write_level,   crop_boxes,       run_crop_network<Rnet>,
                      run_crop_network<Onet>, run_sievepose, run_multiply_adds};

}  // namespace facesieve::ISA
