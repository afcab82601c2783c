// Which source pixels a resized pixel covers, and with what weights, along one axis.
#pragma once

#include <cstdint>
#include <vector>

#include "picture.hpp"

namespace facesieve {

// `count` pixels from `start`; all pixels between the first and the last have the same weight.
struct Span {
    int start, count;
    float first, middle, last;
};

// The coverage of cv2.resize with INTER_AREA (modules/imgproc/src/resize.cpp, computeResizeAreaTab), for from >= to.
std::vector<Span> area_spans(int from, int to);

// The weights of cv2.resize with INTER_AREA for from < to: linear, but constant inside a source pixel.
std::vector<Span> linear_spans(int from, int to);

// How cv2.resize with INTER_AREA rounds: whole-number ratios are computed in another way.
enum class Rounding { weighted, whole, halves };

Rounding rounding(int width, int height, int to_width, int to_height);

// One value of cv2.resize(picture, INTER_AREA), bit for bit: the same float operations in the same order.
// Slow; used only where the fast sum is so near one half that its error could change the rounding.
std::uint8_t area_value(const Picture& picture, const Span& across, const Span& down, int colour, Rounding rounding);

// An upper bound of |fast sum - cv2's sum| of 8-bit values over these spans (Higham, Accuracy and Stability, (3.4)).
float area_doubt(const Span& across, const Span& down);

}  // namespace facesieve
