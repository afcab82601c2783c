// One block: the expanded map, six times as large as what goes in and out, exists only a few rows and panels at a time.

namespace facesieve::ISA {

// A square map, (panel, pixel, PANEL), or for the stem a picture, (row, column, colour).
struct Map {
    const float* at;
    int side;

    int pixels() const { return side * side; }
};

constexpr int half(int side, int stride) { return (side + stride - 1) / stride; }

// How a block's filters lie on the expanded map: as TensorFlow's SAME, of an odd number of zeros more at the end.
struct Window {
    int side, out, kernel, stride, width, before;

    Window(int side, const Block& block)
        : side(side),
          out(half(side, block.stride)),
          kernel(block.kernel),
          stride(block.stride),
          width((out - 1) * stride + kernel),
          before((width - side) / 2) {}

    std::ptrdiff_t row() const { return std::ptrdiff_t{width} * PANEL; }
    int rows_for(int answers) const { return (answers - 1) * stride + kernel; }
    // Rows of answers whose expanded rows stay in the cache between the two steps.
    int at_once() const { return std::clamp((BAND / width - kernel) / stride + 1, 1, out); }

    static constexpr int BAND = 1024;  // pixels, of one panel
};

// Puts swished sums where the depthwise filters look for them: rows with zeros around.
struct Spread {
    float* rows;
    const Window& window;
    std::ptrdiff_t panel;  // floats from a panel's rows to the next panel's

    template <int PIXELS, int VECTORS>
    void operator()(int first, const Lanes (&sum)[PIXELS][VECTORS]) const {
        int x = first % window.side;
        float* to = rows + (first / window.side * window.width + x) * PANEL;
#pragma GCC unroll 16
        for (int p = 0; p < PIXELS; ++p) {
#pragma GCC unroll 16
            for (int v = 0; v < VECTORS; ++v) store(to + v / PARTS * panel + v % PARTS * LANES, swish(sum[p][v]));
            to += PANEL;
            if (++x == window.side) x = 0, to += window.row() - window.side * PANEL;
        }
    }
};

// Puts sums into a map, with the block's input added where there is one to add.
struct Settle {
    float* to;
    const float* skip;
    std::ptrdiff_t panel;

    template <int PIXELS, int VECTORS>
    void operator()(int first, const Lanes (&sum)[PIXELS][VECTORS]) const {
#pragma GCC unroll 16
        for (int p = 0; p < PIXELS; ++p)
#pragma GCC unroll 16
            for (int v = 0; v < VECTORS; ++v) {
                const std::ptrdiff_t at = v / PARTS * panel + (first + p) * PANEL + v % PARTS * LANES;
                store(to + at, skip ? sum[p][v] + load(skip + at) : sum[p][v]);
            }
    }
};

// The stem over rows [from, to) of its answers. The picture has a row and a column of zeros at its end.
struct Stem {
    template <int GROUP>
    static void expand(const Map& in, const Filters& filters, int panel, int from, int to, const Window& window,
                       const Spread& spread, std::integral_constant<int, GROUP>) {
        const std::ptrdiff_t row = in.side * COLOURS;
        Spread rows = spread;
        for (int y = from; y < to; ++y, rows.rows += window.row())
            product<2 * COLOURS, GROUP>(in.at + 2 * y * row, window.side, {27, 9, row}, filters, panel, rows);
    }
};

struct Pointwise {
    template <int GROUP>
    static void expand(const Map& in, const Filters& filters, int panel, int from, int to, const Window& window,
                       const Spread& spread, std::integral_constant<int, GROUP>) {
        const Taps taps{filters.taps, PANEL, std::ptrdiff_t{in.pixels()} * PANEL};
        product<PANEL, GROUP>(in.at + from * window.side * PANEL, (to - from) * window.side, taps, filters, panel, spread);
    }
};

// Expansion and depthwise filters. band: room for `band_floats`; filtered: the answers; totals: their sums, by channel.
template <class Expansion>
inline void expand_and_filter(const Block& block, const Map& in, const Window& window, float* band, float* filtered,
                              float* totals) {
    const FilterRow filter = filter_row_of(block.kernel, block.stride);
    const int at_once = window.at_once(), kept = window.kernel - window.stride;
    const std::ptrdiff_t row = window.row(), panel_rows = row * window.rows_for(at_once);
    std::fill_n(band, panel_rows * GROUP, 0.f);
    std::fill_n(totals, padded(block.expand.count), 0.f);

    each_group(panels(block.expand.count), [&](int panel, auto group) {
        for (int y = 0; y < window.out; y += at_once) {
            const int answers = std::min(at_once, window.out - y), rows = window.rows_for(answers);
            const int top = y * window.stride - window.before;  // the expanded row that the band begins with
            int ready = 0;
            if (y > 0)
                for (; ready < kept; ++ready)
                    for (int g = 0; g < group; ++g)
                        std::copy_n(band + g * panel_rows + (at_once * window.stride + ready) * row, row,
                                    band + g * panel_rows + ready * row);
            const int from = std::max(top + ready, 0), to = std::max(std::min(top + rows, window.side), from);
            for (int g = 0; g < group; ++g) {
                float* first = band + g * panel_rows;
                std::fill(first + ready * row, first + (from - top) * row, 0.f);
                std::fill(first + (to - top) * row, first + rows * row, 0.f);
            }
            const Spread spread{band + (from - top) * row + window.before * PANEL, window, panel_rows};
            Expansion::expand(in, block.expand, panel, from, to, window, spread, group);
            for (int g = 0; g < group; ++g)
                for (int i = 0; i < answers; ++i)
                    filter(band + g * panel_rows + i * window.stride * row, row, block.depthwise, panel + g,
                           filtered + (std::ptrdiff_t{panel + g} * window.out + y + i) * window.out * PANEL, window.out,
                           totals + (panel + g) * PANEL);
        }
    });
}

inline std::size_t band_floats(const Window& window) {
    return std::size_t(GROUP) * window.rows_for(window.at_once()) * window.row();
}

// totals: sums over `pixels`, which become the means; gates: what each channel is multiplied with.
inline void squeeze_and_excite(const Block& block, int pixels, float* totals, float* squeezed, float* gates) {
    for (int i = 0; i < padded(block.expand.count); ++i) totals[i] /= static_cast<float>(pixels);
    dense<swish>(totals, block.squeeze, squeezed);
    dense<sigmoids>(squeezed, block.excite, gates);
}

constexpr int GATED = 1 << 16;  // floats of a map that are projected at a time: with the weights they stay in the cache

inline int projected_at_once(const Block& block, int pixels) {
    return std::clamp(GATED / padded(block.project.taps), pixels_for(GROUP), pixels);
}

// Gates and projection. gated: room for projected_at_once() pixels; skip: the block's input, or nullptr.
inline void project(const Block& block, const Map& filtered, const float* gates, float* gated, const float* skip,
                    float* out) {
    const int at_once = projected_at_once(block, filtered.pixels());
    const std::ptrdiff_t panel_floats = std::ptrdiff_t{filtered.pixels()} * PANEL;
    for (int first = 0; first < filtered.pixels(); first += at_once) {
        const int pixels = std::min(at_once, filtered.pixels() - first);
        for (int panel = 0; panel < panels(block.project.taps); ++panel) {
            const float* from = filtered.at + panel * panel_floats + std::ptrdiff_t{first} * PANEL;
            float* to = gated + std::ptrdiff_t{panel} * pixels * PANEL;
            for (int lane = 0; lane < PANEL; lane += LANES) {
                const Lanes gate = load(gates + panel * PANEL + lane);
                for (int p = 0; p < pixels; ++p) store(to + p * PANEL + lane, load(from + p * PANEL + lane) * gate);
            }
        }
        const Taps taps{block.project.taps, PANEL, std::ptrdiff_t{pixels} * PANEL};
        each_group(panels(block.project.count), [&](int panel, auto group) {
            const std::ptrdiff_t at = panel * panel_floats + std::ptrdiff_t{first} * PANEL;
            product<PANEL, group>(gated, pixels, taps, block.project, panel,
                                  Settle{out + at, skip ? skip + at : nullptr, panel_floats});
        });
    }
}

}  // namespace facesieve::ISA
