// Products of a map and packed filters: 1 x 1 convolutions, and dense layers as maps of one pixel.
// Maps are (panel, pixel, PANEL): both these products and the depthwise filters read and write them in order. A number
// is summed tap by tap whatever tile its pixel falls in, so that it cannot depend on how pixels are shared out.

namespace facesieve::ISA {

// Where a pixel's taps are: `run` numbers side by side, then, `row` floats further, the next; `count` in all.
struct Taps {
    int count, run;
    std::ptrdiff_t row;
};

constexpr int GROUP = LANES < PANEL ? 1 : 2;  // panels that one tile takes
constexpr int MOST_VECTORS = GROUP * PARTS;

constexpr int pixels_beside(int vectors) { return std::min(ACCUMULATORS / vectors, MOST_PIXELS); }

// PIXELS pixels, PIXEL floats from one to the next, by VECTORS vectors of filters, of one panel or of whole ones;
// `finish` takes the sums of pixel `first` onwards.
template <int PIXEL, int PIXELS, int VECTORS, class Finish>
[[gnu::noinline]] void product_tile(const float* in, Taps taps, const Filters& filters, int panel, int first,
                                    const Finish& finish) {
    const float* bias = filters.bias.data() + panel * PANEL;
    const float* weights = filters.panel(panel);
    const std::ptrdiff_t next_panel = std::ptrdiff_t{taps.count} * PANEL;
    Lanes sum[PIXELS][VECTORS];
#pragma GCC unroll 16
    for (int p = 0; p < PIXELS; ++p)
#pragma GCC unroll 16
        for (int v = 0; v < VECTORS; ++v) sum[p][v] = load(bias + v * LANES);

    for (; taps.count > 0; taps.count -= taps.run, in += taps.row) {
        const float* end = in + std::min(taps.run, taps.count);
        for (const float* at = in; at != end; ++at, weights += PANEL) {
            asm volatile("" ::: "memory");  // keep no input for the next step: there are no registers left for it
            __builtin_prefetch(weights + (VECTORS + PARTS - 1) / PARTS * next_panel, 0, 2);  // the filters after these
            Lanes weight[VECTORS];
#pragma GCC unroll 16
            for (int v = 0; v < VECTORS; ++v) weight[v] = load(weights + v / PARTS * next_panel + v % PARTS * LANES);
#pragma GCC unroll 16
            for (int p = 0; p < PIXELS; ++p) {
                const Lanes pixel = broadcast(at[p * PIXEL]);
#pragma GCC unroll 16
                for (int v = 0; v < VECTORS; ++v) sum[p][v] = multiply_add(pixel, weight[v], sum[p][v]);
            }
        }
    }
    finish(first, sum);
}

// `pixels` pixels by VECTORS vectors, in tiles of nearly equal size where that goes.
template <int PIXEL, int VECTORS, class Finish>
inline void product(const float* in, int pixels, const Taps& taps, const Filters& filters, int panel,
                    const Finish& finish) {
    constexpr int MOST = pixels_beside(VECTORS);
    const int tiles = (pixels + MOST - 1) / MOST;
    const int smaller = std::min(tiles * MOST - pixels, tiles);  // tiles of one pixel less
    int first = 0;
    for (int t = smaller; t < tiles && first + MOST <= pixels; ++t, first += MOST)
        product_tile<PIXEL, MOST, VECTORS>(in + first * PIXEL, taps, filters, panel, first, finish);
    if constexpr (MOST > 2)
        for (; first + MOST - 1 <= pixels; first += MOST - 1)
            product_tile<PIXEL, MOST - 1, VECTORS>(in + first * PIXEL, taps, filters, panel, first, finish);
    for (; first < pixels; ++first)
        product_tile<PIXEL, 1, VECTORS>(in + first * PIXEL, taps, filters, panel, first, finish);
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

// One vector of numbers by all filters.
template <Lanes (*bend)(Lanes)>
inline void dense(const float* in, const Filters& filters, float* out) {
    const Taps taps{filters.taps, filters.taps, 0};
    each_group(filters.count, [&](int panel, auto vectors) {
        product<PANEL, vectors>(in, 1, taps, filters, panel, Bent<bend>{out + panel * PANEL});
    });
}

}  // namespace facesieve::ISA
