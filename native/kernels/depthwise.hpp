// Depthwise filters and their swish: each channel is filtered alone, and lanes run along the channels.
#pragma once

#include <cstddef>

#include "../filters.hpp"
#include "lanes.hpp"
#include "swish.hpp"

namespace facesieve::ISA {

// Neighbouring pixels that are computed at once. The rows of EfficientNet's maps are multiples of 7.
constexpr int PIXELS_ACROSS = REGISTERS >= 32 ? 14 : 7;

// Computes PIXELS neighbouring pixels. in: the first tap of the first pixel; rows are `row` floats apart. The outputs
// are added to total, and peak becomes the largest of them and itself.
template <int KERNEL, int STRIDE, int PIXELS>
inline void filter_pixels(const float* in, std::ptrdiff_t row, const float* weights, Lanes bias, float* out,
                          Lanes& total, Lanes& peak) {
    Lanes sum[PIXELS];
#pragma GCC unroll 16
    for (int x = 0; x < PIXELS; ++x) sum[x] = bias;
    for (int ky = 0; ky < KERNEL; ++ky, in += row, weights += KERNEL * PANEL) {
        Lanes weight[KERNEL];
#pragma GCC unroll 16
        for (int kx = 0; kx < KERNEL; ++kx) weight[kx] = load(weights + kx * PANEL);
#pragma GCC unroll 64
        for (int i = 0; i < (PIXELS - 1) * STRIDE + KERNEL; ++i) {
            const Lanes pixel = load(in + i * PANEL);
#pragma GCC unroll 16
            for (int kx = 0; kx < KERNEL; ++kx)
                if (i >= kx && (i - kx) % STRIDE == 0 && (i - kx) / STRIDE < PIXELS)
                    sum[(i - kx) / STRIDE] = multiply_add(pixel, weight[kx], sum[(i - kx) / STRIDE]);
        }
    }
#pragma GCC unroll 16
    for (int x = 0; x < PIXELS; ++x) {
        const Lanes a = swish(sum[x]);
        store(out + x * PANEL, a);
        total += a;
        peak = larger(peak, a);
    }
}

// One row of `width` outputs for one panel. totals, peaks: by channel, the sum and the largest of all outputs so far.
template <int KERNEL, int STRIDE>
[[gnu::noinline]] void filter_row(const float* in, std::ptrdiff_t row, const Depthwise& filters, int panel, float* out,
                                  int width, float* totals, float* peaks) {
    for (int lane = 0; lane < PANEL; lane += LANES) {
        const float* weights = filters.panel(panel) + lane;
        const Lanes bias = load(filters.bias.data() + panel * PANEL + lane);
        Lanes total = load(totals + lane), peak = load(peaks + lane);
        int x = 0;
        for (; x + PIXELS_ACROSS <= width; x += PIXELS_ACROSS)
            filter_pixels<KERNEL, STRIDE, PIXELS_ACROSS>(in + lane + x * STRIDE * PANEL, row, weights, bias,
                                                         out + lane + x * PANEL, total, peak);
        for (; x < width; ++x)
            filter_pixels<KERNEL, STRIDE, 1>(in + lane + x * STRIDE * PANEL, row, weights, bias, out + lane + x * PANEL,
                                             total, peak);
        store(totals + lane, total);
        store(peaks + lane, peak);
    }
}

using FilterRow = void (*)(const float*, std::ptrdiff_t, const Depthwise&, int, float*, int, float*, float*);

inline FilterRow filter_row_of(int kernel, int stride) {
    if (kernel == 3) return stride == 1 ? filter_row<3, 1> : filter_row<3, 2>;
    return stride == 1 ? filter_row<5, 1> : filter_row<5, 2>;
}

}  // namespace facesieve::ISA
