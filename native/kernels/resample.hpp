// Area resampling, first down the columns, then across. Weighted sums of whole rows use the full width of the vectors,
// and only one such row is left to be summed across for each row of the result.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "../area.hpp"
#include "../picture.hpp"
#include "lanes.hpp"

namespace facesieve::ISA {

// Three floats are a pixel; the fourth is the next pixel's red and is overwritten or ignored.
typedef float Pixel __attribute__((vector_size(16)));
constexpr int SLACK = 16;  // floats behind a row of values that whole vectors may read or write

inline Pixel load_pixel(const float* at) {
    Pixel pixel;
    std::memcpy(&pixel, at, sizeof pixel);
    return pixel;
}

// The rows of a span that lie in the picture: [from, to).
struct SpanRows {
    const std::uint8_t* first;  // row `from` of the span
    std::ptrdiff_t stride;
    int from, to;
};

// Many rows are summed in bands of a few, and each band from left to right. Summing a few columns over all rows of a
// large picture takes three times as long.
constexpr int ROWS_OF_BAND = 8, MANY_ROWS = 3 * ROWS_OF_BAND;

// sums[i] += column i of ROWS_OF_BAND rows, for all i < values that fill whole vectors.
inline void add_band(const std::uint8_t* row, std::ptrdiff_t stride, int values, float* sums) {
    int at = 0;
    for (; at + LANES <= values; at += LANES) {
        Lanes sum = load(sums + at);
#pragma GCC unroll 8
        for (int i = 0; i < ROWS_OF_BAND; ++i) sum += widen(row + i * stride + at);
        store(sums + at, sum);
    }
}

// banded: how many of the rows of equal weight are in `sums` already. Their sums are whole numbers, so that the order
// of summing does not change them.
template <int VECTORS>
inline void sum_block(const SpanRows& rows, const Span& down, int banded, std::ptrdiff_t at, float* sums) {
    Lanes sum[VECTORS] = {}, inner[VECTORS] = {};
    const std::uint8_t* row = rows.first + at;
    int i = rows.from;
    if (i == 0 && i < rows.to) {
        for (int v = 0; v < VECTORS; ++v) sum[v] = widen(row + v * LANES) * broadcast(down.first);
        ++i, row += rows.stride;
    }
    if (banded) {
        for (int v = 0; v < VECTORS; ++v) inner[v] = load(sums + at + v * LANES);
        i += banded, row += banded * rows.stride;
    }
    for (; i < rows.to && i < down.count - 1; ++i, row += rows.stride)
        for (int v = 0; v < VECTORS; ++v) inner[v] += widen(row + v * LANES);
    for (int v = 0; v < VECTORS; ++v) sum[v] = multiply_add(inner[v], broadcast(down.middle), sum[v]);
    if (i < rows.to)
        for (int v = 0; v < VECTORS; ++v) sum[v] = multiply_add(widen(row + v * LANES), broadcast(down.last), sum[v]);
    for (int v = 0; v < VECTORS; ++v) store(sums + at + v * LANES, sum[v]);
}

// One column, in the order of sum_block, so that a column's sum does not depend on the width of the vectors.
inline float sum_one(const SpanRows& rows, const Span& down, std::ptrdiff_t at) {
    float sum = 0, inner = 0;
    const std::uint8_t* row = rows.first + at;
    int i = rows.from;
    if (i == 0 && i < rows.to) {
        sum = static_cast<float>(*row) * down.first;
        ++i, row += rows.stride;
    }
    for (; i < rows.to && i < down.count - 1; ++i, row += rows.stride) inner += static_cast<float>(*row);
    sum = multiply_add(inner, down.middle, sum);
    if (i < rows.to) sum = multiply_add(static_cast<float>(*row), down.last, sum);
    return sum;
}

// sums[i] = weighted sum of column i of the rows, for all i < values.
inline void sum_rows(const SpanRows& rows, const Span& down, int values, float* sums) {
    const int begin = std::max(rows.from, 1), inner = std::min(rows.to, down.count - 1) - begin;
    int banded = 0;
    if (inner >= MANY_ROWS) {
        std::fill_n(sums, values, 0.f);
        for (; banded + ROWS_OF_BAND <= inner; banded += ROWS_OF_BAND)
            add_band(rows.first + (begin - rows.from + banded) * rows.stride, rows.stride, values, sums);
    }

    constexpr int WIDE = 4;
    int at = 0;
    for (; at + WIDE * LANES <= values; at += WIDE * LANES) sum_block<WIDE>(rows, down, banded, at, sums);
    for (; at + LANES <= values; at += LANES) sum_block<1>(rows, down, banded, at, sums);
    for (; at < values; ++at) sums[at] = sum_one(rows, down, at);
}

inline Pixel sum_across(const float* sums, const Span& across) {
    const float* at = sums + COLOURS * across.start;
    Pixel sum = load_pixel(at) * across.first;
    if (across.count == 1) return sum;
    Pixel inner = {};
    for (int i = 1; i < across.count - 1; ++i) inner += load_pixel(at + COLOURS * i);
    return sum + inner * across.middle + load_pixel(at + COLOURS * (across.count - 1)) * across.last;
}

// One level of the pyramid, row by row, equal to cv2.resize(picture, (width, height), INTER_AREA) bit for bit.
class Level {
public:
    Level(const Picture& picture, int width, int height)
        : picture_(picture),
          across_(area_spans(picture.width, width)),
          down_(area_spans(picture.height, height)),
          rounding_(rounding_of(picture.width, picture.height, width, height)),
          sums_(COLOURS * picture.width + SLACK),
          values_(COLOURS * width + SLACK) {
        widest_ = *std::max_element(across_.begin(), across_.end(), [](auto& a, auto& b) { return a.count < b.count; });
    }

    // Row y: three whole numbers for each pixel.
    const float* row(int y) {
        const Span& down = down_[y];
        const SpanRows rows{picture_.row(down.start), std::ptrdiff_t{COLOURS} * picture_.width, 0, down.count};
        sum_rows(rows, down, COLOURS * picture_.width, sums_.data());
        float* at = values_.data();
        for (const Span& across : across_) {
            const Pixel sum = sum_across(sums_.data(), across);
            std::memcpy(at, &sum, sizeof sum);
            at += COLOURS;
        }
        round(down);
        return values_.data();
    }

private:
    // Rounds every sum that is certainly not near one half. The others are computed again in cv2's order.
    void round(const Span& down) {
        const float trusted = 0.5f - area_error_bound(widest_, down);
        const int values = COLOURS * static_cast<int>(across_.size());
        for (int at = 0; at < values; at += LANES) {
            const Lanes sum = load(&values_[at]), whole = nearest(sum);
            store(&values_[at], whole);
            if (!any_above(magnitude(sum - whole), broadcast(trusted))) continue;
            float residue[LANES];
            store(residue, magnitude(sum - whole));
            for (int i = 0; i < LANES && at + i < values; ++i)
                if (residue[i] > trusted) values_[at + i] = exact(at + i, down);
        }
    }

    float exact(int value, const Span& down) const {
        return area_value(picture_, across_[value / COLOURS], down, value % COLOURS, rounding_);
    }

    Picture picture_;
    std::vector<Span> across_, down_;
    Rounding rounding_;
    Span widest_;
    std::vector<float> sums_, values_;
};

// Cuts boxes out of a picture that is black beyond its border, and resizes them to squares as cv2.resize(float,
// INTER_AREA) does.
class Cutter {
public:
    Cutter(const Picture& picture, int side) : picture_(picture), side_(side), sums_(SLACK) {}

    // crop: (side, side, 3) floats in 0..255.
    void cut(const Box& box, float* crop) {
        plan(box);
        const int left = box.x1 - 1, top = box.y1 - 1;
        const int begin = std::max(left, 0), end = std::min(left + box.width(), picture_.width);
        const std::size_t row_size = COLOURS * std::size_t(box.width()) + SLACK;
        if (sums_.size() < row_size) sums_.resize(row_size);
        std::fill_n(sums_.begin(), row_size, 0.f);
        for (const Span& down : down_) {
            const int from = std::clamp(-(top + down.start), 0, down.count);
            const int to = std::clamp(picture_.height - (top + down.start), from, down.count);
            if (begin < end) {
                const std::uint8_t* first = picture_.row(from < to ? top + down.start + from : 0) + COLOURS * begin;
                const SpanRows rows{first, std::ptrdiff_t{COLOURS} * picture_.width, from, to};
                sum_rows(rows, down, COLOURS * (end - begin), sums_.data() + COLOURS * (begin - left));
            }
            for (const Span& across : across_) {
                const Pixel sum = sum_across(sums_.data(), across);
                std::memcpy(crop, &sum, COLOURS * sizeof(float));
                crop += COLOURS;
            }
        }
    }

private:
    void plan(const Box& box) {
        if (box.width() == width_ && box.height() == height_) return;
        width_ = box.width(), height_ = box.height();
        const auto spans = width_ >= side_ && height_ >= side_ ? area_spans : linear_spans;
        across_ = spans(width_, side_);
        down_ = spans(height_, side_);
    }

    Picture picture_;
    int side_, width_ = 0, height_ = 0;
    std::vector<Span> across_, down_;
    std::vector<float> sums_;
};

}  // namespace facesieve::ISA
