// Aligned crops of faces, and the measure of blur.
#pragma once

#include <cstddef>
#include <cstdint>

#include "picture.hpp"

namespace facesieve {

// `count` crops (side, side, 3) of one picture. matrices: (count, 2, 3), picture to crop. The result is that of OpenCV
// 4's warpAffine with INTER_LINEAR and a black border, bit for bit: coordinates in 1/1024 of a pixel rounded to 1/32,
// whole-number weights. The published values of blur were computed so; OpenCV 5 computes others.
void warp(const Picture& picture, const double* matrices, std::ptrdiff_t count, int side, std::uint8_t* crops);

// Variance of the 3 x 3 Laplacian (0 1 0, 1 -4 1, 0 1 0). Beyond the border the pixels are mirrored, without the border
// pixel itself.
double laplacian_variance(const std::uint8_t* grey, int height, int width);

}  // namespace facesieve
