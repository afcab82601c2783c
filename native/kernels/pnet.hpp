// P-Net on one pyramid level, row by row. Only those rows of a layer's map are kept that the next layer still needs,
// and only those cells of the last map that reach the threshold. Lanes run along the row: neighbouring positions are
// multiplied with the same weight, which is broadcast. Weights are (channel, ky, kx, filter).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "../architecture.hpp"
#include "../picture.hpp"
#include "lanes.hpp"
#include "resample.hpp"

namespace facesieve::ISA {

constexpr int KERNEL_SIDE = 3, KERNEL_TAPS = KERNEL_SIDE * KERNEL_SIDE;
constexpr int FEATURES_1 = Pnet::CONVOLUTIONS[0].filters;
constexpr int FEATURES_2 = Pnet::CONVOLUTIONS[1].filters;
constexpr int FEATURES_3 = Pnet::CONVOLUTIONS[2].filters;
static_assert(convolutions<Pnet>() == 3);
static_assert(Pnet::CONVOLUTIONS[0].kernel == KERNEL_SIDE && Pnet::CONVOLUTIONS[0].pool == 2);
static_assert(Pnet::CONVOLUTIONS[1].kernel == KERNEL_SIDE && Pnet::CONVOLUTIONS[1].pool == 0);
static_assert(Pnet::CONVOLUTIONS[2].kernel == KERNEL_SIDE && Pnet::CONVOLUTIONS[2].pool == 0);

constexpr int ROW_VECTORS = 3;  // vectors along the row that one tile computes

// The last ROWS rows of a map of PLANES channels. The pixels of one row of one channel are neighbours in memory.
template <int ROWS, int PLANES>
class Ring {
public:
    explicit Ring(int width) : stride_((width + LANES - 1) / LANES * LANES + LANES), values_(ROWS * PLANES * stride_) {}

    std::ptrdiff_t stride() const { return stride_; }
    float* row(int y) { return values_.data() + y % ROWS * PLANES * stride_; }

private:
    std::ptrdiff_t stride_;
    std::vector<float> values_;
};

// Splits a row of the level into six planes: for each colour the even columns, then the odd ones. The 2 x 2 pool can
// then take the maximum of whole vectors, without shuffles.
inline void split_columns(const float* values, int width, float* planes, std::ptrdiff_t stride) {
    for (int x = 0; x < width; ++x)
        for (int colour = 0; colour < COLOURS; ++colour)
            planes[(2 * colour + x % 2) * stride + x / 2] = values[COLOURS * x + colour];
}

// FILTERS filters of the first convolution, from `filter` on: on two rows, even and odd columns, then PReLU and the
// pool of the four. rows: four rows of the level. paired: whether the second row of the pool exists. odds: how many
// lanes have an odd column.
template <int FILTERS>
[[gnu::noinline]] void pooled_tile(const float* const rows[4], std::ptrdiff_t stride, int filter, bool paired, int odds,
                                   const CascadeLayer& layer, float* out, std::ptrdiff_t out_stride) {
    Lanes sum[FILTERS][2][2] = {};
    const float* weights = layer.weights.data() + filter;
    for (int colour = 0; colour < COLOURS; ++colour, weights += KERNEL_TAPS * FEATURES_1) {
#pragma GCC unroll 4
        for (int r = 0; r < 4; ++r) {
            const float* even = rows[r] + 2 * colour * stride;
            const float* odd = even + stride;
            const Lanes in[4] = {load(even), load(odd), load(even + 1), load(odd + 1)};
#pragma GCC unroll 2
            for (int row = 0; row < 2; ++row) {
                const int ky = r - row;
                if (ky < 0 || ky > 2) continue;
                asm volatile("" ::: "memory");  // do not keep weights for the other row: no registers are left
#pragma GCC unroll 3
                for (int kx = 0; kx < 3; ++kx)
#pragma GCC unroll 5
                    for (int f = 0; f < FILTERS; ++f) {
                        const Lanes weight = broadcast(weights[(3 * ky + kx) * FEATURES_1 + f]);
                        sum[f][row][0] = multiply_add(in[kx], weight, sum[f][row][0]);
                        sum[f][row][1] = multiply_add(in[kx + 1], weight, sum[f][row][1]);
                    }
            }
        }
    }
#pragma GCC unroll 5
    for (int f = 0; f < FILTERS; ++f) {
        Lanes most[2], least[2];
        for (int parity = 0; parity < 2; ++parity) {
            if (!paired) sum[f][1][parity] = sum[f][0][parity];
            most[parity] = larger(sum[f][0][parity], sum[f][1][parity]);
            least[parity] = smaller(sum[f][0][parity], sum[f][1][parity]);
        }
        if (odds < LANES) {
            most[1] = first_lanes(odds, most[1], most[0]);
            least[1] = first_lanes(odds, least[1], least[0]);
        }
        // With a negative slope, PReLU falls and then rises: its largest value is at one of the two ends.
        const Lanes bias = broadcast(layer.bias[filter + f]), slope = broadcast(layer.slope[filter + f]);
        Lanes pooled = prelu(larger(most[0], most[1]) + bias, slope);
        if (layer.slope[filter + f] < 0) pooled = larger(pooled, prelu(smaller(least[0], least[1]) + bias, slope));
        store(out + (filter + f) * out_stride, pooled);
    }
}

// FILTERS filters of a 3 x 3 convolution and its PReLU on VECTORS vectors of one row.
template <int CHANNELS, int OUT, int FILTERS, int VECTORS>
[[gnu::noinline]] void row_tile(const float* const rows[3], std::ptrdiff_t stride, int filter,
                                const CascadeLayer& layer, float* out, std::ptrdiff_t out_stride) {
    Lanes sum[FILTERS][VECTORS];
#pragma GCC unroll 16
    for (int f = 0; f < FILTERS; ++f)
        for (int v = 0; v < VECTORS; ++v) sum[f][v] = broadcast(layer.bias[filter + f]);
    const float* weights = layer.weights.data() + filter;
    for (int channel = 0; channel < CHANNELS; ++channel)
#pragma GCC unroll 3
        for (int ky = 0; ky < 3; ++ky)
#pragma GCC unroll 3
            for (int kx = 0; kx < 3; ++kx, weights += OUT) {
                asm volatile("" ::: "memory");  // do not keep inputs for the next tap: no registers are left
                Lanes in[VECTORS];
#pragma GCC unroll 4
                for (int v = 0; v < VECTORS; ++v) in[v] = load(rows[ky] + channel * stride + kx + v * LANES);
#pragma GCC unroll 16
                for (int f = 0; f < FILTERS; ++f) {
                    const Lanes weight = broadcast(weights[f]);
#pragma GCC unroll 4
                    for (int v = 0; v < VECTORS; ++v) sum[f][v] = multiply_add(in[v], weight, sum[f][v]);
                }
            }
#pragma GCC unroll 16
    for (int f = 0; f < FILTERS; ++f) {
        const Lanes slope = broadcast(layer.slope[filter + f]);
#pragma GCC unroll 4
        for (int v = 0; v < VECTORS; ++v) store(out + (filter + f) * out_stride + v * LANES, prelu(sum[f][v], slope));
    }
}

// All filters on VECTORS vectors. Fewer vectors are combined with more filters at once, to keep the multipliers busy.
template <int CHANNELS, int OUT, int VECTORS>
inline void row_tiles(const float* const rows[3], std::ptrdiff_t stride, const CascadeLayer& layer, float* out,
                      std::ptrdiff_t out_stride) {
    constexpr int ROOM = (REGISTERS - 1 - VECTORS) / VECTORS;
    constexpr int FILTERS = ROOM >= 8 ? 8 : ROOM >= 4 ? 4 : 2;
    for (int filter = 0; filter < OUT; filter += FILTERS)
        row_tile<CHANNELS, OUT, FILTERS, VECTORS>(rows, stride, filter, layer, out, out_stride);
}

// All filters on the next ROW_VECTORS vectors of a row, or on the `vectors` that are left.
template <int CHANNELS, int OUT>
inline void convolve_row(int vectors, const float* const rows[3], std::ptrdiff_t stride, const CascadeLayer& layer,
                         float* out, std::ptrdiff_t out_stride) {
    if (vectors >= 3) return row_tiles<CHANNELS, OUT, 3>(rows, stride, layer, out, out_stride);
    if (vectors == 2) return row_tiles<CHANNELS, OUT, 2>(rows, stride, layer, out, out_stride);
    row_tiles<CHANNELS, OUT, 1>(rows, stride, layer, out, out_stride);
}

// Computes the cells of one level.
class Proposer {
public:
    Proposer(const CascadeLayers& layers, const Picture& picture, int width, int height, float threshold)
        : layers_(layers),
          level_(picture, width, height),
          width_(width),
          height_(height),
          pooled_width_((width - 1) / 2),
          threshold_(threshold),
          // No logit below this has a probability that rounds up to the threshold.
          least_logit_(std::min(std::log(threshold / (1 - threshold)), 15.f) - 1e-3f),
          level_rows_(pooled_width_ + 1),
          pooled_(pooled_width_),
          second_(pooled_width_) {}

    void run(std::vector<Cell>& cells) {
        const int pooled_height = (height_ - 1) / 2;
        for (int y = 0; y < pooled_height; ++y) {
            first_row(y);
            if (y >= 2) second_row(y - 2);
            if (y >= 4) third_row(y - 4, cells);
        }
    }

private:
    void first_row(int y) {
        const int last = std::min(2 * y + 3, height_ - 1);
        for (; ready_ <= last; ++ready_)
            split_columns(level_.row(ready_), width_, level_rows_.row(ready_), level_rows_.stride());
        const bool paired = 2 * y + 3 < height_;
        const float* rows[4];
        for (int r = 0; r < 4; ++r) rows[r] = level_rows_.row(2 * y + r);
        const int columns = width_ - 2;
        constexpr int FILTERS = REGISTERS >= 32 ? 5 : 2;
        for (int x = 0; x < pooled_width_; x += LANES) {
            const int odds = std::min(columns / 2 - x, LANES);
            const float* at[4] = {rows[0] + x, rows[1] + x, rows[2] + x, rows[3] + x};
            for (int filter = 0; filter < FEATURES_1; filter += FILTERS)
                pooled_tile<FILTERS>(at, level_rows_.stride(), filter, paired, odds, layers_[0], pooled_.row(y) + x,
                                     pooled_.stride());
        }
    }

    void second_row(int y) {
        const int vectors = (pooled_width_ - 2 + LANES - 1) / LANES;
        for (int v = 0; v < vectors; v += ROW_VECTORS) {
            const int x = v * LANES;
            const float* rows[3] = {pooled_.row(y) + x, pooled_.row(y + 1) + x, pooled_.row(y + 2) + x};
            convolve_row<FEATURES_1, FEATURES_2>(vectors - v, rows, pooled_.stride(), layers_[1], second_.row(y) + x,
                                                 second_.stride());
        }
    }

    void third_row(int y, std::vector<Cell>& cells) {
        const int columns = pooled_width_ - 4;
        const int vectors = (columns + LANES - 1) / LANES;
        constexpr int STRIDE = ROW_VECTORS * LANES;
        float features[FEATURES_3 * STRIDE];
        for (int v = 0; v < vectors; v += ROW_VECTORS) {
            const int x = v * LANES;
            const float* rows[3] = {second_.row(y) + x, second_.row(y + 1) + x, second_.row(y + 2) + x};
            convolve_row<FEATURES_2, FEATURES_3>(vectors - v, rows, second_.stride(), layers_[2], features, STRIDE);
            score(y, x, std::min(columns - x, STRIDE), features, cells);
        }
    }

    // Computes the logit of each cell of a tile, and the rest of the answer for those above the threshold.
    void score(int row, int x, int count, const float* features, std::vector<Cell>& cells) const {
        constexpr int STRIDE = ROW_VECTORS * LANES;
        const float* weights = layers_[3].weights.data();
        for (int at = 0; at < count; at += LANES) {
            Lanes sum[2] = {broadcast(layers_[3].bias[0]), broadcast(0.f)};
            for (int f = 0; f < FEATURES_3; ++f)
                sum[f % 2] = multiply_add(load(features + f * STRIDE + at), broadcast(weights[f]), sum[f % 2]);
            sum[0] += sum[1];
            if (!any_above(sum[0], broadcast(least_logit_))) continue;
            float logits[LANES];
            store(logits, sum[0]);
            for (int i = at; i < std::min(at + LANES, count); ++i) {
                const float probability = sigmoid(logits[i - at]);
                if (probability >= threshold_) cells.push_back(answer(row, x + i, probability, features + i));
            }
        }
    }

    Cell answer(int row, int column, float probability, const float* features) const {
        Cell cell{row, column, probability, {}};
        for (int side = 0; side < Pnet::HEADS[1]; ++side) {
            const float* weights = layers_[4].weights.data() + side * FEATURES_3;
            float sum = layers_[4].bias[side];
            for (int f = 0; f < FEATURES_3; ++f) sum += weights[f] * features[f * ROW_VECTORS * LANES];
            cell.regression[side] = sum;
        }
        return cell;
    }

    const CascadeLayers& layers_;
    Level level_;
    int width_, height_, pooled_width_, ready_ = 0;
    float threshold_, least_logit_;
    Ring<4, 2 * COLOURS> level_rows_;
    Ring<3, FEATURES_1> pooled_;
    Ring<3, FEATURES_2> second_;
};

inline void propose(const CascadeLayers& layers, const Picture& picture, int width, int height, float threshold,
                    std::vector<Cell>& cells) {
    if (width < Pnet::WINDOW || height < Pnet::WINDOW) return;
    Proposer(layers, picture, width, height, threshold).run(cells);
}

}  // namespace facesieve::ISA
