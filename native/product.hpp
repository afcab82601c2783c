// Products of a map and packed filters: 1 x 1 convolutions, and dense layers as maps of one pixel.
// Maps are (panel, pixel, PANEL): both these products and the depthwise filters read and write them in order. A number
// is summed tap by tap whatever tile its pixel falls in, so that it cannot depend on how pixels are shared out.

namespace facesieve::ISA {

// What goes in as sixteen-bit integers; times `step` they are the numbers.
struct Integers {
    const std::int16_t* at;
    float step;
};

// One panel's pixels, each channel times its scale.
inline void narrow(const float* from, int pixels, const Lanes (&scale)[PARTS], std::int16_t* to) {
    for (const float* end = from + std::ptrdiff_t{pixels} * PANEL; from != end; from += PANEL, to += PANEL)
#pragma GCC unroll 16
        for (int v = 0; v < PARTS; ++v) store_nearest(to + v * LANES, load(from + v * LANES), scale[v]);
}

// map: (panel, pixel, PANEL), no number above `most` in magnitude; what fills up the last panel may be anything, as no
// product reads it. to: as map.
inline Integers quantised(const float* map, int channels, int pixels, float most, std::int16_t* to) {
    Lanes scale[PARTS];
    std::fill_n(scale, PARTS, broadcast(most > 0 ? MOST_STEPS / most : 0.f));
    for (std::ptrdiff_t at = 0, panel = std::ptrdiff_t{pixels} * PANEL; at < panels(channels) * panel; at += panel)
        narrow(map + at, pixels, scale, to + at);
    return {to, most / MOST_STEPS};
}

// Where a pixel's taps are: `run` numbers side by side, then, `row` numbers further, the next; `count` in all.
struct Taps {
    int count, run;
    std::ptrdiff_t row;
};

constexpr int GROUP = LANES < PANEL ? 1 : 2;  // panels that one tile takes
constexpr int MOST_VECTORS = GROUP * PARTS;

constexpr int pixels_beside(int vectors) { return std::min(ACCUMULATORS / vectors, MOST_PIXELS); }

// PIXELS pixels, PIXEL integers from one to the next, by VECTORS vectors of filters, of one panel or of whole ones;
// `finish` takes the sums of pixel `first` onwards.
template <int PIXEL, int PIXELS, int VECTORS, class Finish>
[[gnu::noinline]] void product_tile(const Integers& in, Taps taps, const Filters& filters, int panel, int first,
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
            asm volatile("" ::: "memory");  // keep no input for the next step: there are no registers left for it
            __builtin_prefetch(weights + (VECTORS + PARTS - 1) / PARTS * next_panel, 0, 2);  // the filters after these
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

// `pixels` pixels by VECTORS vectors, in tiles of nearly equal size where that goes.
template <int PIXEL, int VECTORS, class Finish>
inline void product(const Integers& in, int pixels, const Taps& taps, const Filters& filters, int panel,
                    const Finish& finish) {
    constexpr int MOST = pixels_beside(VECTORS);
    const int tiles = (pixels + MOST - 1) / MOST;
    const int smaller = std::min(tiles * MOST - pixels, tiles);  // tiles of one pixel less
    int first = 0;
    for (int t = smaller; t < tiles && first + MOST <= pixels; ++t, first += MOST)
        product_tile<PIXEL, MOST, VECTORS>(in, taps, filters, panel, first, finish);
    if constexpr (MOST > 2)
        for (; first + MOST - 1 <= pixels; first += MOST - 1)
            product_tile<PIXEL, MOST - 1, VECTORS>(in, taps, filters, panel, first, finish);
    for (; first < pixels; ++first)
        product_tile<PIXEL, 1, VECTORS>(in, taps, filters, panel, first, finish);
}

template <int VECTORS>
using Vectors = std::integral_constant<int, VECTORS>;

// Calls `work(panel, Vectors<...>)` for all filters: GROUP panels at a time, then what is left alone, and of the last
// panel half, where the other half is empty. Those lanes of an answer are not written.
template <class Work>
inline void each_group(int filters, const Work& work) {
    const int whole = (filters + PANEL / 2 - 1) / PANEL;  // panels that are more than half full
    int panel = 0;
    for (; panel + GROUP <= whole; panel += GROUP) work(panel, Vectors<MOST_VECTORS>{});
    for (; panel < whole; ++panel) work(panel, Vectors<PARTS>{});
    if (panel < panels(filters)) work(panel, Vectors<(PARTS + 1) / 2>{});
}

// How sums become a vector of a dense layer.
template <Lanes (*bend)(Lanes)>
struct Bent {
    float* to;
    template <int PIXELS, int VECTORS>
    void operator()(int, const Lanes (&sum)[PIXELS][VECTORS]) const {
#pragma GCC unroll 16
        for (int v = 0; v < VECTORS; ++v) store(to + v * LANES, bend(sum[0][v]));
    }
};

inline Lanes unbent(Lanes a) { return a; }

// One vector of numbers by all filters. integers: room for the vector.
template <Lanes (*bend)(Lanes)>
inline void dense(const float* in, const Filters& filters, std::int16_t* integers, float* out) {
    const Taps taps{filters.taps, filters.taps, 0};
    float most = 0;
    for (int i = 0; i < filters.taps; ++i) most = std::max(most, std::abs(in[i]));
    const Integers vector = quantised(in, filters.taps, 1, most, integers);
    each_group(filters.count, [&](int panel, auto vectors) {
        product<PANEL, vectors>(vector, 1, taps, filters, panel, Bent<bend>{out + panel * PANEL});
    });
}

}  // namespace facesieve::ISA
