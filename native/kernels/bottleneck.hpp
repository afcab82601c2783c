// One block of EfficientNet. Its expanded map is six times as large as its input and its output, so only a few of its
// rows and panels are computed at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "../filters.hpp"
#include "../picture.hpp"
#include "../pose_layers.hpp"
#include "depthwise.hpp"
#include "lanes.hpp"
#include "panels.hpp"
#include "product.hpp"
#include "swish.hpp"

namespace facesieve::ISA {

// A square map, (panel, pixel, PANEL), or the stem's picture, (row, column, colour).
struct Map {
    Quantised numbers;
    int side;

    int pixels() const { return side * side; }
};

constexpr int strided_side(int side, int stride) { return (side + stride - 1) / stride; }

// The sizes of a depthwise layer and of its expanded map. The padding is TensorFlow's SAME: with an odd number of
// zeros, one more of them is at the end.
struct FilterGrid {
    int side, out, kernel, stride, width, before;

    FilterGrid(int side, const Block& block)
        : side(side),
          out(strided_side(side, block.stride)),
          kernel(block.kernel),
          stride(block.stride),
          width((out - 1) * stride + kernel),
          before((width - side) / 2) {}

    std::ptrdiff_t row() const { return std::ptrdiff_t{width} * PANEL; }
    int rows_for(int outputs) const { return (outputs - 1) * stride + kernel; }
    int shared_rows() const { return kernel - stride; }  // rows that are shared with the next band
};

// The rows of the expanded map that are kept at a time. A small map is expanded as a whole, panel by panel, so that
// weights are read once. A large map is expanded band by band, each with all panels, so that the map is read once.
struct Bands {
    int outputs;           // rows of the output that one band yields
    std::ptrdiff_t panel;  // floats of one panel's rows
    int panels_held;       // for how many panels rows are kept

    Bands(const FilterGrid& grid, const Block& block) : outputs(grid.out), panels_held(PANELS_OF_TILE) {
        const std::ptrdiff_t map = std::ptrdiff_t{grid.side} * grid.side * padded(block.expand.taps);
        if (map > WHOLE) {
            panels_held = panels(block.expand.count);
            const auto rows = static_cast<int>(BAND / (grid.row() * panels_held));
            outputs = std::clamp((rows - grid.kernel) / grid.stride + 1, 1, grid.out);
        }
        panel = grid.row() * grid.rows_for(outputs);
    }

    std::size_t floats() const { return std::size_t(panel) * panels_held; }
    bool whole(const FilterGrid& grid) const { return outputs == grid.out; }

    static constexpr std::ptrdiff_t WHOLE = 112 << 10, BAND = 64 << 10;  // floats; both fit into the second-level cache
};

// Stores sums after their swish where the depthwise filters read them: in rows with zeros around.
struct StoreExpanded {
    float* rows;
    const FilterGrid& grid;
    std::ptrdiff_t panel;  // floats from a panel's rows to the next panel's

    template <int PIXELS, int VECTORS>
    void operator()(int first, const Lanes (&sum)[PIXELS][VECTORS]) const {
        int x = first % grid.side;
        float* to = rows + (first / grid.side * grid.width + x) * PANEL;
#pragma GCC unroll 16
        for (int p = 0; p < PIXELS; ++p) {
#pragma GCC unroll 16
            for (int v = 0; v < VECTORS; ++v) store(to + v / PARTS * panel + v % PARTS * LANES, swish(sum[p][v]));
            to += PANEL;
            if (++x == grid.side) x = 0, to += grid.row() - grid.side * PANEL;
        }
    }
};

// Stores sums in a map, after adding the block's input where the block has a skip connection.
struct StoreProjected {
    float* to;
    const float* skip;  // the block's input, or nullptr
    std::ptrdiff_t panel;
    Lanes& peak;  // becomes the largest magnitude

    template <int PIXELS, int VECTORS>
    void operator()(int first, const Lanes (&sum)[PIXELS][VECTORS]) const {
        Lanes most = peak;
#pragma GCC unroll 16
        for (int p = 0; p < PIXELS; ++p)
#pragma GCC unroll 16
            for (int v = 0; v < VECTORS; ++v) {
                const std::ptrdiff_t at = v / PARTS * panel + (first + p) * PANEL + v % PARTS * LANES;
                const Lanes number = skip ? sum[p][v] + load(skip + at) : sum[p][v];
                store(to + at, number);
                most = larger(most, magnitude(number));
            }
        peak = most;
    }
};

// The stem on rows [from, to) of its output. The picture has a row and a column of zeros at its end. Each row of taps
// reads one number more, and multiplies it with a weight of zero.
struct Stem {
    static constexpr int RUN = 3 * COLOURS;

    template <int VECTORS>
    static void expand(const Map& in, const Filters& filters, int panel, int from, int to, const FilterGrid& grid,
                       const StoreExpanded& finish, Vectors<VECTORS>) {
        const std::ptrdiff_t row = in.side * COLOURS;
        StoreExpanded rows = finish;
        for (int y = from; y < to; ++y, rows.rows += grid.row())
            product<2 * COLOURS, VECTORS>({in.numbers.at + 2 * y * row, in.numbers.step}, grid.side,
                                          {filters.taps, RUN + 1, row}, filters, panel, rows);
    }
};

// A 1 x 1 expansion on rows [from, to).
struct Pointwise {
    template <int VECTORS>
    static void expand(const Map& in, const Filters& filters, int panel, int from, int to, const FilterGrid& grid,
                       const StoreExpanded& finish, Vectors<VECTORS>) {
        const Taps taps{filters.taps, PANEL, std::ptrdiff_t{in.pixels()} * PANEL};
        const std::ptrdiff_t first = std::ptrdiff_t{from} * grid.side;
        product<PANEL, VECTORS>({in.numbers.at + first * PANEL, in.numbers.step}, (to - from) * grid.side, taps,
                                filters, panel, finish);
    }
};

// Expansion and depthwise filters. band: room for Bands::floats(); filtered: the output; totals, peaks: by channel, the
// sum of the output and a bound of its magnitude.
template <class Expansion>
inline void expand_and_filter(const Block& block, const Map& in, const FilterGrid& grid, float* band, float* filtered,
                              float* totals, float* peaks) {
    const Bands bands(grid, block);
    const FilterRow filter = filter_row_of(block.kernel, block.stride);
    const std::ptrdiff_t row = grid.row();
    std::fill_n(band, bands.floats(), 0.f);
    std::fill_n(totals, padded(block.expand.count), 0.f);
    std::fill_n(peaks, padded(block.expand.count), SWISH_DEPTH);

    for (int y = 0; y < grid.out; y += bands.outputs) {
        const int outputs = std::min(bands.outputs, grid.out - y), rows = grid.rows_for(outputs);
        const int ready = y > 0 ? grid.shared_rows() : 0;  // rows that the previous band has computed
        const int top = y * grid.stride - grid.before;     // the first expanded row of this band
        const int from = std::max(top + ready, 0), to = std::max(std::min(top + rows, grid.side), from);
        each_panel_group(block.expand.count, [&](int panel, auto vectors) {
            constexpr int count = (vectors + PARTS - 1) / PARTS;
            float* first = band + (bands.whole(grid) ? 0 : panel * bands.panel);
            for (int g = 0; g < count; ++g) {
                float* own = first + g * bands.panel;
                std::copy_n(own + bands.outputs * grid.stride * row, ready * row, own);
                std::fill(own + ready * row, own + (from - top) * row, 0.f);
                std::fill(own + (to - top) * row, own + rows * row, 0.f);
            }
            const StoreExpanded finish{first + (from - top) * row + grid.before * PANEL, grid, bands.panel};
            Expansion::expand(in, block.expand, panel, from, to, grid, finish, vectors);
            for (int g = 0; g < count; ++g)
                for (int i = 0; i < outputs; ++i)
                    filter(first + g * bands.panel + i * grid.stride * row, row, block.depthwise, panel + g,
                           filtered + (std::ptrdiff_t{panel + g} * grid.out + y + i) * grid.out * PANEL, grid.out,
                           totals + (panel + g) * PANEL, peaks + (panel + g) * PANEL);
        });
    }
}

// totals: sums over `pixels`, replaced by the means; gates: the factor of each channel.
inline void squeeze_and_excite(const Block& block, int pixels, float* totals, std::int16_t* integers, float* squeezed,
                               float* gates) {
    for (int i = 0; i < padded(block.expand.count); ++i) totals[i] /= static_cast<float>(pixels);
    dense_of_integers<swish>(totals, block.squeeze, integers, squeezed);
    dense_of_integers<fast_sigmoid>(squeezed, block.excite, integers, gates);
}

constexpr int GATED = 48 << 10;  // numbers that are projected at a time; they fit into the second-level cache

inline int projected_at_once(const Block& block, int pixels) {
    const int most = std::clamp(GATED / padded(block.project.taps), pixels_beside(MOST_VECTORS), pixels);
    const int parts = (pixels + most - 1) / most;
    return (pixels + parts - 1) / parts;
}

// Gates and projection. filtered: `pixels` pixels; peaks: a bound of each channel's magnitude; gated: room for
// projected_at_once() pixels; skip: the block's input, or nullptr. Returns the largest magnitude of `out`.
inline float project(const Block& block, const float* filtered, int pixels, const float* peaks, const float* gates,
                     std::int16_t* gated, const float* skip, float* out) {
    float most = 0;
    for (int i = 0; i < block.project.taps; ++i) most = std::max(most, peaks[i] * gates[i]);
    const Lanes steps = broadcast(MOST_STEPS / most);
    const int most_at_once = projected_at_once(block, pixels);
    const std::ptrdiff_t panel_floats = std::ptrdiff_t{pixels} * PANEL;
    Lanes peak = broadcast(0.f);
    for (int first = 0; first < pixels; first += most_at_once) {
        const int at_once = std::min(most_at_once, pixels - first);
        for (int panel = 0; panel < panels(block.project.taps); ++panel) {
            Lanes scale[PARTS];
            for (int v = 0; v < PARTS; ++v) scale[v] = load(gates + panel * PANEL + v * LANES) * steps;
            quantise_panel(filtered + panel * panel_floats + std::ptrdiff_t{first} * PANEL, at_once, scale,
                           gated + std::ptrdiff_t{panel} * at_once * PANEL);
        }
        const Taps taps{block.project.taps, PANEL, std::ptrdiff_t{at_once} * PANEL};
        each_panel_group(block.project.count, [&](int panel, auto vectors) {
            const std::ptrdiff_t at = panel * panel_floats + std::ptrdiff_t{first} * PANEL;
            product<PANEL, vectors>({gated, most / MOST_STEPS}, at_once, taps, block.project, panel,
                                    StoreProjected{out + at, skip ? skip + at : nullptr, panel_floats, peak});
        });
    }
    return largest(peak);
}

}  // namespace facesieve::ISA
