// One block: the expanded map, six times as large as what goes in and out, exists only a few rows and panels at a time.

namespace facesieve::ISA {

// A square map, (panel, pixel, PANEL), or for the stem a picture, (row, column, colour).
struct Map {
    Integers numbers;
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
    int kept() const { return kernel - stride; }  // rows that a band shares with the next
};

// The rows of the expanded map that are there at a time. A small map is expanded whole, panel by panel, so that weights
// are read once; a large one band by band, all panels of a band, so that the map is read once.
struct Bands {
    int answers;           // rows of answers that a band gives
    std::ptrdiff_t panel;  // floats of a panel's rows
    int panels;            // that have rows of their own

    Bands(const Window& window, const Block& block) : answers(window.out), panels(GROUP) {
        const std::ptrdiff_t map = std::ptrdiff_t{window.side} * window.side * padded(block.expand.taps);
        if (map > WHOLE) {
            panels = facesieve::panels(block.expand.count);
            const auto rows = static_cast<int>(BAND / (window.row() * panels));
            answers = std::clamp((rows - window.kernel) / window.stride + 1, 1, window.out);
        }
        panel = window.row() * window.rows_for(answers);
    }

    std::size_t floats() const { return std::size_t(panel) * panels; }
    bool whole(const Window& window) const { return answers == window.out; }

    static constexpr std::ptrdiff_t WHOLE = 112 << 10, BAND = 64 << 10;  // numbers; both stay in the second cache
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
    Lanes& peak;  // grows to the largest magnitude

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

// The stem over rows [from, to) of its answers. The picture has a row and a column of zeros at its end; each row of
// taps reads one number more, by a weight of zero.
struct Stem {
    static constexpr int RUN = 3 * COLOURS;

    template <int VECTORS>
    static void expand(const Map& in, const Filters& filters, int panel, int from, int to, const Window& window,
                       const Spread& spread, Vectors<VECTORS>) {
        const std::ptrdiff_t row = in.side * COLOURS;
        Spread rows = spread;
        for (int y = from; y < to; ++y, rows.rows += window.row())
            product<2 * COLOURS, VECTORS>({in.numbers.at + 2 * y * row, in.numbers.step}, window.side,
                                          {filters.taps, RUN + 1, row}, filters, panel, rows);
    }
};

struct Pointwise {
    template <int VECTORS>
    static void expand(const Map& in, const Filters& filters, int panel, int from, int to, const Window& window,
                       const Spread& spread, Vectors<VECTORS>) {
        const Taps taps{filters.taps, PANEL, std::ptrdiff_t{in.pixels()} * PANEL};
        const std::ptrdiff_t first = std::ptrdiff_t{from} * window.side;
        product<PANEL, VECTORS>({in.numbers.at + first * PANEL, in.numbers.step}, (to - from) * window.side, taps,
                                filters, panel, spread);
    }
};

// Expansion and depthwise filters. band: room for Bands::floats(); filtered: the answers; totals, peaks: by channel,
// their sums and what their magnitudes do not exceed.
template <class Expansion>
inline void expand_and_filter(const Block& block, const Map& in, const Window& window, float* band, float* filtered,
                              float* totals, float* peaks) {
    const Bands bands(window, block);
    const FilterRow filter = filter_row_of(block.kernel, block.stride);
    const std::ptrdiff_t row = window.row();
    std::fill_n(band, bands.floats(), 0.f);
    std::fill_n(totals, padded(block.expand.count), 0.f);
    std::fill_n(peaks, padded(block.expand.count), DEEPEST);

    for (int y = 0; y < window.out; y += bands.answers) {
        const int answers = std::min(bands.answers, window.out - y), rows = window.rows_for(answers);
        const int ready = y > 0 ? window.kept() : 0;        // rows that the band before has left
        const int top = y * window.stride - window.before;  // the expanded row that this one begins with
        const int from = std::max(top + ready, 0), to = std::max(std::min(top + rows, window.side), from);
        each_group(block.expand.count, [&](int panel, auto vectors) {
            constexpr int group = (vectors + PARTS - 1) / PARTS;
            float* first = band + (bands.whole(window) ? 0 : panel * bands.panel);
            for (int g = 0; g < group; ++g) {
                float* own = first + g * bands.panel;
                std::copy_n(own + bands.answers * window.stride * row, ready * row, own);
                std::fill(own + ready * row, own + (from - top) * row, 0.f);
                std::fill(own + (to - top) * row, own + rows * row, 0.f);
            }
            const Spread spread{first + (from - top) * row + window.before * PANEL, window, bands.panel};
            Expansion::expand(in, block.expand, panel, from, to, window, spread, vectors);
            for (int g = 0; g < group; ++g)
                for (int i = 0; i < answers; ++i)
                    filter(first + g * bands.panel + i * window.stride * row, row, block.depthwise, panel + g,
                           filtered + (std::ptrdiff_t{panel + g} * window.out + y + i) * window.out * PANEL, window.out,
                           totals + (panel + g) * PANEL, peaks + (panel + g) * PANEL);
        });
    }
}

// totals: sums over `pixels`, which become the means; gates: what each channel is multiplied with.
inline void squeeze_and_excite(const Block& block, int pixels, float* totals, std::int16_t* integers, float* squeezed,
                               float* gates) {
    for (int i = 0; i < padded(block.expand.count); ++i) totals[i] /= static_cast<float>(pixels);
    dense<swish>(totals, block.squeeze, integers, squeezed);
    dense<sigmoids>(squeezed, block.excite, integers, gates);
}

constexpr int GATED = 48 << 10;  // numbers that are projected at a time: they stay in the second cache

inline int projected_at_once(const Block& block, int pixels) {
    const int most = std::clamp(GATED / padded(block.project.taps), pixels_beside(MOST_VECTORS), pixels);
    const int parts = (pixels + most - 1) / most;
    return (pixels + parts - 1) / parts;
}

// Gates and projection. filtered: `pixels` pixels; peaks: what a channel's magnitudes do not exceed; gated: room for
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
            narrow(filtered + panel * panel_floats + std::ptrdiff_t{first} * PANEL, at_once, scale,
                   gated + std::ptrdiff_t{panel} * at_once * PANEL);
        }
        const Taps taps{block.project.taps, PANEL, std::ptrdiff_t{at_once} * PANEL};
        each_group(block.project.count, [&](int panel, auto vectors) {
            const std::ptrdiff_t at = panel * panel_floats + std::ptrdiff_t{first} * PANEL;
            product<PANEL, vectors>({gated, most / MOST_STEPS}, at_once, taps, block.project, panel,
                                    Settle{out + at, skip ? skip + at : nullptr, panel_floats, peak});
        });
    }
    return largest(peak);
}

}  // namespace facesieve::ISA
