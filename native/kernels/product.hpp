// Products of a map and packed filters: 1 x 1 convolutions, and dense layers as maps of one pixel.
// Maps are (panel, pixel, PANEL), so that these products and the depthwise filters read and write them in order. Each
// number is summed tap by tap in the same order whatever tile its pixel is in, so that it does not depend on how pixels
// are divided into tiles.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "../filters.hpp"
#include "lanes.hpp"
#include "panels.hpp"

namespace facesieve::ISA {

// Numbers as sixteen-bit integers, each a multiple of `step`.
struct Quantised {
    const std::int16_t* at;
    float step;
};

// Multiplies each channel of one panel's pixels with its scale, and rounds.
inline void quantise_panel(const float* from, int pixels, const Lanes (&scale)[PARTS], std::int16_t* to) {
    for (const float* end = from + std::ptrdiff_t{pixels} * PANEL; from != end; from += PANEL, to += PANEL)
#pragma GCC unroll 16
        for (int v = 0; v < PARTS; ++v) store_nearest(to + v * LANES, load(from + v * LANES), scale[v]);
}

// map: (panel, pixel, PANEL), with no magnitude above `most`; the channels that fill up the last panel may have any
// value, because no product reads them. to: as map.
inline Quantised quantise(const float* map, int channels, int pixels, float most, std::int16_t* to) {
    Lanes scale[PARTS];
    std::fill_n(scale, PARTS, broadcast(most > 0 ? MOST_STEPS / most : 0.f));
    for (std::ptrdiff_t at = 0, panel = std::ptrdiff_t{pixels} * PANEL; at < panels(channels) * panel; at += panel)
        quantise_panel(map + at, pixels, scale, to + at);
    return {to, most / MOST_STEPS};
}

// Where the taps of a pixel are: `run` numbers side by side, the next run `row` numbers further, `count` in all.
struct Taps {
    int count, run;
    std::ptrdiff_t row;
};

constexpr int PANELS_OF_TILE = LANES < PANEL ? 1 : 2;
constexpr int MOST_VECTORS = PANELS_OF_TILE * PARTS;

constexpr int pixels_beside(int vectors) { return std::min(ACCUMULATORS / vectors, MOST_PIXELS); }

// Multiplies PIXELS pixels, PIXEL integers from one to the next, with VECTORS vectors of filters: a part of one panel,
// or whole panels. `finish` receives the sums of the pixels from `first` on.
template <int PIXEL, int PIXELS, int VECTORS, class Finish>
[[gnu::noinline]] void product_tile(const Quantised& in, Taps taps, const Filters& filters, int panel, int first,
                                    const Finish& finish) {
    const std::int16_t* weights = filters.panel(panel);
    const std::int16_t* begin = in.at + std::ptrdiff_t{first} * PIXEL;
    const std::ptrdiff_t next_panel = std::ptrdiff_t{filters.taps} * PANEL;
    Whole sum[PIXELS][VECTORS];
#pragma GCC unroll 16
    for (int p = 0; p < PIXELS; ++p)
#pragma GCC unroll 16
        for (int v = 0; v < VECTORS; ++v) sum[p][v] = Whole{};

    for (; taps.count > 0; taps.count -= taps.run, begin += taps.row) {
        const std::int16_t* end = begin + std::min(taps.run, taps.count);
        for (const std::int16_t* at = begin; at != end; at += 2, weights += 2 * PANEL) {
            asm volatile("" ::: "memory");  // do not keep inputs for the next step: no registers are left
            __builtin_prefetch(weights + (VECTORS + PARTS - 1) / PARTS * next_panel, 0, 2);  // the next filters
            Whole weight[VECTORS];
#pragma GCC unroll 16
            for (int v = 0; v < VECTORS; ++v)
                weight[v] = load_pairs(weights + v / PARTS * next_panel + v % PARTS * 2 * LANES);
#pragma GCC unroll 16
            for (int p = 0; p < PIXELS; ++p) {
                const Whole pixel = broadcast_pair(at + p * PIXEL);
#pragma GCC unroll 16
                for (int v = 0; v < VECTORS; ++v) sum[p][v] = multiply_add_pairs(pixel, weight[v], sum[p][v]);
            }
        }
    }

    const float *step = filters.step.data() + panel * PANEL, *bias = filters.bias.data() + panel * PANEL;
    Lanes number[PIXELS][VECTORS];
#pragma GCC unroll 16
    for (int v = 0; v < VECTORS; ++v) {
        const Lanes scale = load(step + v * LANES) * broadcast(in.step), start = load(bias + v * LANES);
#pragma GCC unroll 16
        for (int p = 0; p < PIXELS; ++p) number[p][v] = multiply_add(to_floats(sum[p][v]), scale, start);
    }
    finish(first, number);
}

// Multiplies `pixels` pixels with VECTORS vectors of filters, in tiles of nearly equal size where possible.
template <int PIXEL, int VECTORS, class Finish>
inline void product(const Quantised& in, int pixels, const Taps& taps, const Filters& filters, int panel,
                    const Finish& finish) {
    constexpr int MOST = pixels_beside(VECTORS);
    const int tiles = (pixels + MOST - 1) / MOST;
    const int smaller = std::min(tiles * MOST - pixels, tiles);  // tiles with one pixel less
    int first = 0;
    for (int t = smaller; t < tiles && first + MOST <= pixels; ++t, first += MOST)
        product_tile<PIXEL, MOST, VECTORS>(in, taps, filters, panel, first, finish);
    if constexpr (MOST > 2)
        for (; first + MOST - 1 <= pixels; first += MOST - 1)
            product_tile<PIXEL, MOST - 1, VECTORS>(in, taps, filters, panel, first, finish);
    for (; first < pixels; ++first) product_tile<PIXEL, 1, VECTORS>(in, taps, filters, panel, first, finish);
}

template <int VECTORS>
using Vectors = std::integral_constant<int, VECTORS>;

// Calls `work(panel, Vectors<...>)` for all filters: for PANELS_OF_TILE panels at a time, then for single panels, and
// for half of the last panel where the other half is empty. The lanes of the empty half are not written.
template <class Work>
inline void each_panel_group(int filters, const Work& work) {
    const int whole = (filters + PANEL / 2 - 1) / PANEL;  // panels that are more than half full
    int panel = 0;
    for (; panel + PANELS_OF_TILE <= whole; panel += PANELS_OF_TILE) work(panel, Vectors<MOST_VECTORS>{});
    for (; panel < whole; ++panel) work(panel, Vectors<PARTS>{});
    if (panel < panels(filters)) work(panel, Vectors<(PARTS + 1) / 2>{});
}

// Stores the sums of a dense layer after its activation.
template <Lanes (*activation)(Lanes)>
struct StoreActivated {
    float* to;
    template <int PIXELS, int VECTORS>
    void operator()(int, const Lanes (&sum)[PIXELS][VECTORS]) const {
#pragma GCC unroll 16
        for (int v = 0; v < VECTORS; ++v) store(to + v * LANES, activation(sum[0][v]));
    }
};

inline Lanes identity(Lanes a) { return a; }

// A dense layer of one vector of numbers. integers: room for the vector.
template <Lanes (*activation)(Lanes)>
inline void dense_of_integers(const float* in, const Filters& filters, std::int16_t* integers, float* out) {
    const Taps taps{filters.taps, filters.taps, 0};
    float most = 0;
    for (int i = 0; i < filters.taps; ++i) most = std::max(most, std::abs(in[i]));
    const Quantised vector = quantise(in, filters.taps, 1, most, integers);
    each_panel_group(filters.count, [&](int panel, auto vectors) {
        product<PANEL, vectors>(vector, 1, taps, filters, panel, StoreActivated<activation>{out + panel * PANEL});
    });
}

}  // namespace facesieve::ISA
