// Which source pixels a resized pixel covers, and with what weights: one axis at a time.
#pragma once

#include "picture.hpp"

namespace facesieve {

// `count` pixels from `start`; all between the first and the last weigh the same.
struct Span {
    int start, count;
    float first, middle, last;
};

// The coverage of cv2.resize with INTER_AREA (modules/imgproc/src/resize.cpp, computeResizeAreaTab), for from >= to.
std::vector<Span> area_spans(int from, int to);

// What INTER_AREA means to cv2.resize when a picture grows: linear, but flat inside a source pixel.
std::vector<Span> linear_spans(int from, int to);

// How cv2.resize INTER_AREA rounds: ratios of whole numbers have paths of their own.
enum class Rounding { weighted, whole, halves };

Rounding rounding(int width, int height, int to_width, int to_height);

// One value of cv2.resize(picture, INTER_AREA), bit for bit: the same float operations in the same order.
// Slow; it decides where the fast sum comes too close to one half to be trusted.
std::uint8_t area_value(const Picture& picture, const Span& across, const Span& down, int colour, Rounding rounding);

// A bound on |fast sum - cv2's sum| of 8-bit values over these spans (Higham, Accuracy and Stability, (3.4)).
float area_doubt(const Span& across, const Span& down);

}  // namespace facesieve
