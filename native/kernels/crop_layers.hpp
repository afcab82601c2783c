// The layers of R-Net, O-Net and the pose network of our own. Maps are (y, x, channel), and lanes run along the output
// channels: each input number is broadcast and multiplied with neighbouring filters. Every crop is computed alone, so
// that its numbers do not depend on the other crops of the batch.
#pragma once

#include <algorithm>
#include <cstddef>

#include "../filters.hpp"
#include "../picture.hpp"
#include "lanes.hpp"
#include "panels.hpp"

namespace facesieve::ISA {

// How many of `panels` panels one tile computes at once.
constexpr int panels_at_once(int panels) { return LANES < PANEL ? 1 : panels % 3 == 0 ? 3 : panels % 2 == 0 ? 2 : 1; }
// How many pixels a tile with that many panels can have.
constexpr int pixels_at_once(int panels) { return std::min(ACCUMULATORS / (panels * PARTS), MOST_PIXELS); }

// A layer on a square map of SIZE x SIZE pixels of CHANNELS channels, STRIDE floats from one pixel to the next. Its
// windows are STEP pixels apart. Its output has a border of BORDER pixels, which it does not write.
template <int SIZE, int CHANNELS, int STRIDE, int KERNEL, int FILTERS, int STEP = 1, int BORDER = 0>
struct SquareLayer {
    static constexpr int out = (SIZE - KERNEL) / STEP + 1;
    static constexpr int kernel = KERNEL;
    static constexpr int filters = FILTERS;
    static constexpr int out_stride = padded(FILTERS);
    static constexpr int taps = KERNEL * KERNEL * CHANNELS;
    static constexpr int row = SIZE * STRIDE;
    static constexpr int pixel = STRIDE;
    static constexpr int down = STEP * row, across = STEP * pixel;  // from one window to the next
    static constexpr int out_row = (out + 2 * BORDER) * out_stride;
    static constexpr int out_first = BORDER * (out_row + out_stride);  // of the output's first pixel inside the border
    // The taps of one row are one run of numbers where no gap lies between pixels, otherwise one run for each pixel.
    static constexpr int runs = STRIDE == CHANNELS ? 1 : KERNEL;
    static constexpr int run = STRIDE == CHANNELS ? KERNEL * CHANNELS : CHANNELS;
};

// Computes ROWS x COLUMNS output pixels of PANELS panels.
// weights: (panel, ky, kx, channel, PANEL). in, out: the tile's first pixel.
template <class S, int ROWS, int COLUMNS, int PANELS>
[[gnu::noinline]] void crop_tile(const float* in, const CascadeLayer& layer, int panel, float* out) {
    constexpr int VECTORS = PANELS * PARTS;
    Lanes sum[ROWS * COLUMNS][VECTORS];
#pragma GCC unroll 16
    for (int p = 0; p < ROWS * COLUMNS; ++p)
#pragma GCC unroll 16
        for (int v = 0; v < VECTORS; ++v) sum[p][v] = load(&layer.bias[panel * PANEL + v * LANES]);

    const float* weights = &layer.weights[std::size_t(panel) * S::taps * PANEL];
    for (int ky = 0; ky < S::kernel; ++ky)
        for (int r = 0; r < S::runs; ++r) {
            const float* at = in + ky * S::row + r * S::pixel;
            for (int k = 0; k < S::run; ++k, ++at, weights += PANEL) {
                asm volatile("" ::: "memory");  // do not keep inputs for the next step: no registers are left
                Lanes weight[VECTORS];
#pragma GCC unroll 16
                for (int v = 0; v < VECTORS; ++v)
                    weight[v] = load(weights + v / PARTS * S::taps * PANEL + v % PARTS * LANES);
#pragma GCC unroll 16
                for (int p = 0; p < ROWS * COLUMNS; ++p) {
                    const Lanes pixel = broadcast(at[p / COLUMNS * S::down + p % COLUMNS * S::across]);
#pragma GCC unroll 16
                    for (int v = 0; v < VECTORS; ++v) sum[p][v] = multiply_add(pixel, weight[v], sum[p][v]);
                }
            }
        }
#pragma GCC unroll 16
    for (int v = 0; v < VECTORS; ++v) {
        const Lanes slope = load(&layer.slope[panel * PANEL + v * LANES]);
#pragma GCC unroll 16
        for (int p = 0; p < ROWS * COLUMNS; ++p) {
            float* to = out + p / COLUMNS * S::out_row + p % COLUMNS * S::out_stride;
            store(to + panel * PANEL + v * LANES, prelu(sum[p][v], slope));
        }
    }
}

// How many rows a tile of at most `most` pixels should have, so that tiles cover `columns` x `rows` with the least
// waste.
constexpr int tile_rows(int columns, int rows, int most) {
    int best = 1;
    double best_use = 0;
    for (int tall = 1; tall <= std::min(rows, most); ++tall) {
        const int wide = std::min(most / tall, columns);
        const double use = static_cast<double>(columns) / ((columns + wide - 1) / wide) * tall / most;
        if (use > best_use + 0.01) best = tall, best_use = use;
    }
    return best;
}

// ROWS whole rows, in tiles of nearly equal width.
template <class S, int ROWS, int PANELS>
inline void row_of_tiles(const float* in, const CascadeLayer& layer, int panel, float* out) {
    constexpr int MOST = pixels_at_once(PANELS) / ROWS;
    constexpr int TILES = (S::out + MOST - 1) / MOST;
    constexpr int NARROW = S::out / TILES, WIDER = S::out % TILES;
    for (int t = 0; t < WIDER; ++t, in += (NARROW + 1) * S::across, out += (NARROW + 1) * S::out_stride)
        crop_tile<S, ROWS, NARROW + 1, PANELS>(in, layer, panel, out);
    for (int t = WIDER; t < TILES; ++t, in += NARROW * S::across, out += NARROW * S::out_stride)
        crop_tile<S, ROWS, NARROW, PANELS>(in, layer, panel, out);
}

template <class S, int COUNT, int PANELS>
inline void rows_of_tiles(const float* in, const CascadeLayer& layer, int panel, float* out) {
    constexpr int ROWS = tile_rows(S::out, COUNT, pixels_at_once(PANELS));
    for (int y = 0; y + ROWS <= COUNT; y += ROWS)
        row_of_tiles<S, ROWS, PANELS>(in + y * S::down, layer, panel, out + y * S::out_row);
    constexpr int REST = COUNT % ROWS, DONE = COUNT - REST;
    if constexpr (REST > 0)
        rows_of_tiles<S, REST, PANELS>(in + DONE * S::down, layer, panel, out + DONE * S::out_row);
}

// COUNT rows of a convolution and its PReLU. in: first input row; out: first output row.
template <class S, int COUNT = S::out>
inline void convolve_crop(const float* in, const CascadeLayer& layer, float* out) {
    constexpr int PANELS = panels_at_once(panels(S::filters));
    for (int panel = 0; panel < panels(S::filters); panel += PANELS)
        rows_of_tiles<S, COUNT, PANELS>(in, layer, panel, out);
}

// One row of a max pool of WINDOW x WINDOW with stride 2; the last windows end at the map's border.
// rows: WINDOW rows, of which the first `count` exist, of `width` pixels of STRIDE floats.
template <int WINDOW, int STRIDE>
inline void pool_row(const float* const rows[WINDOW], int count, int width, int out_width, float* out) {
    for (int channel = 0; channel < STRIDE; channel += LANES) {
        const auto tallest = [&](int x) {
            Lanes most = load(rows[0] + x * STRIDE + channel);
            for (int r = 1; r < count; ++r) most = larger(most, load(rows[r] + x * STRIDE + channel));
            return most;
        };
        Lanes shared = tallest(0);  // the last column of a window of three is the first of the next
        for (int x = 0; x < out_width; ++x) {
            Lanes most = WINDOW == 3 ? shared : tallest(2 * x);
            if (2 * x + 1 < width) most = larger(most, tallest(2 * x + 1));
            if (WINDOW == 3 && 2 * x + 2 < width) most = larger(most, shared = tallest(2 * x + 2));
            store(out + x * STRIDE + channel, most);
        }
    }
}

// A whole map of SIZE x SIZE pixels pooled to OUT x OUT.
template <int WINDOW, int SIZE, int OUT, int STRIDE>
inline void pool_crop(const float* in, float* out) {
    for (int y = 0; y < OUT; ++y) {
        const float* rows[WINDOW];
        for (int r = 0; r < WINDOW; ++r) rows[r] = in + (2 * y + r) * SIZE * STRIDE;
        pool_row<WINDOW, STRIDE>(rows, std::min(WINDOW, SIZE - 2 * y), SIZE, OUT, out + y * OUT * STRIDE);
    }
}

// Convolution, PReLU and 3 x 3 pool with stride 2. Only three rows of the large map are kept at a time.
template <class S, int OUT>
inline void convolve_and_pool_crop(const float* in, const CascadeLayer& layer, float* ring, float* out) {
    constexpr int ROW = S::out * S::out_stride;
    int ready = 0;
    for (int y = 0; y < OUT; ++y) {
        const int count = std::min(3, S::out - 2 * y);
        for (; ready < 2 * y + count; ++ready) convolve_crop<S, 1>(in + ready * S::row, layer, ring + ready % 3 * ROW);
        const float* rows[3];
        for (int r = 0; r < 3; ++r) rows[r] = ring + (2 * y + r) % 3 * ROW;
        pool_row<3, S::out_stride>(rows, count, S::out, OUT, out + y * OUT * S::out_stride);
    }
}

// A dense layer and its PReLU over `count` crops, at most S::out. Each crop is one pixel, S::pixel floats from the
// next.
template <class S>
inline void dense_of_crops(const float* in, const CascadeLayer& layer, int count, float* out) {
    constexpr int PANELS = panels_at_once(panels(S::filters));
    constexpr int MOST = std::min(pixels_at_once(PANELS), S::out);
    for (int panel = 0; panel < panels(S::filters); panel += PANELS)
        for (int crop = 0; crop < count; crop += MOST)
            crop_tile<S, 1, MOST, PANELS>(in + crop * S::pixel, layer, panel, out + crop * S::out_stride);
}

}  // namespace facesieve::ISA
