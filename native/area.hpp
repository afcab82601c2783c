// The source pixels that one resized pixel covers along one axis, and their weights.
#pragma once

#include <cstdint>
#include <vector>

#include "picture.hpp"

namespace facesieve {

// `count` pixels from `start` on. All pixels between the first and the last have the weight `middle`.
struct Span {
    int start, count;
    float first, middle, last;
};

// The weights of cv2.resize with INTER_AREA (modules/imgproc/src/resize.cpp, computeResizeAreaTab), for from >= to.
std::vector<Span> area_spans(int from, int to);

// The weights of cv2.resize with INTER_AREA for from < to: linear, but constant inside a source pixel.
std::vector<Span> linear_spans(int from, int to);

// How cv2.resize with INTER_AREA rounds. It computes whole-number ratios in another way than others: `halves` is the
// ratio 2 along both axes, `whole` any other whole number.
enum class Rounding { weighted, whole, halves };

Rounding rounding_of(int width, int height, int to_width, int to_height);

// One value of cv2.resize(picture, INTER_AREA), bit for bit: the same float operations in the same order.
// It is slow, and is used only where the fast sum is so near one half that its error could change the rounding.
std::uint8_t area_value(const Picture& picture, const Span& across, const Span& down, int colour, Rounding rounding);

// An upper bound of |fast sum - cv2's sum| of 8-bit values over these spans (Higham, Accuracy and Stability, (3.4)).
float area_error_bound(const Span& across, const Span& down);

}  // namespace facesieve
