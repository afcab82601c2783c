// The pose network of our own: the convolutions of R-Net and O-Net, with borders and strides. Each crop goes through the
// convolutions alone; then several crops go through the dense layer together.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "../aligned.hpp"
#include "../architecture.hpp"
#include "../picture.hpp"
#include "../pose_layers.hpp"
#include "crop_layers.hpp"
#include "crop_networks.hpp"
#include "expectation.hpp"
#include "lanes.hpp"
#include "panels.hpp"

namespace facesieve::ISA {

class SieveposeNetwork {
public:
    explicit SieveposeNetwork(const SieveposeLayers& net) : net_(net) { make_maps(std::make_index_sequence<COUNT>{}); }

    // crop: (SIDE, SIDE, 3) RGB. Its features become row `at`.
    void convolve(const std::uint8_t* crop, int at) {
        normalise(crop);
        convolve_from<0>(picture_.data());
        average(features_.data() + at * Sievepose::FEATURES);
    }

    // The bins of the first `count` rows of features, BIN_STRIDE floats from one row to the next.
    const float* bins(int count) {
        dense_of_crops<Heads>(features_.data(), net_.layers[COUNT], count, bins_.data());
        return bins_.data();
    }

    static constexpr int BIN_STRIDE = padded(Sievepose::HEADS * Sievepose::BINS);

private:
    static constexpr int COUNT = Sievepose::COUNT, BORDER = Sievepose::BORDER;
    static constexpr int PICTURE_ROW = (Sievepose::SIDE + 2 * BORDER) * COLOURS;
    static constexpr int LAST = Sievepose::side_before(COUNT);

    template <int N>
    using Stage = SquareLayer<Sievepose::side_before(N) + 2 * BORDER, Sievepose::LAYERS[N].channels,
                              Sievepose::LAYERS[N].channels, Sievepose::KERNEL, Sievepose::LAYERS[N].filters,
                              Sievepose::LAYERS[N].step, N + 1 < COUNT ? BORDER : 0>;
    using Heads = SquareLayer<CROP_CAPACITY, Sievepose::FEATURES, Sievepose::FEATURES, 1,
                              Sievepose::HEADS * Sievepose::BINS>;

    // The borders of all maps stay zero.
    template <std::size_t... N>
    void make_maps(std::index_sequence<N...>) {
        static_assert(((Sievepose::LAYERS[N].filters % PANEL == 0) && ...), "maps must have no gaps between pixels");
        ((maps_[N] = Floats::zeros((Stage<N>::out + 2 * BORDER) * Stage<N>::out_row)), ...);
    }

    void normalise(const std::uint8_t* crop) {
        float* row = picture_.data() + BORDER * (PICTURE_ROW + COLOURS);
        for (int y = 0; y < Sievepose::SIDE; ++y, row += PICTURE_ROW)
            for (int x = 0; x < Sievepose::SIDE; ++x)
                for (int c = 0; c < COLOURS; ++c)
                    row[x * COLOURS + c] = (static_cast<float>(*crop++) - net_.mean[c]) / net_.deviation[c];
    }

    template <int N>
    void convolve_from(const float* in) {
        convolve_crop<Stage<N>>(in, net_.layers[N], maps_[N].data() + Stage<N>::out_first);
        if constexpr (N + 1 < COUNT) convolve_from<N + 1>(maps_[N].data());
    }

    void average(float* features) const {
        const float* map = maps_[COUNT - 1].data();
        for (int channel = 0; channel < Sievepose::FEATURES; channel += LANES) {
            Lanes sum = broadcast(0.f);
            for (int pixel = 0; pixel < LAST * LAST; ++pixel) sum += load(map + pixel * Sievepose::FEATURES + channel);
            store(features + channel, sum * broadcast(1.f / (LAST * LAST)));
        }
    }

    const SieveposeLayers& net_;
    Floats picture_ = Floats::zeros((Sievepose::SIDE + 2 * BORDER) * PICTURE_ROW);
    std::array<Floats, COUNT> maps_;
    Floats features_ = Floats::zeros(CROP_CAPACITY * Sievepose::FEATURES);
    Floats bins_ = Floats::zeros(CROP_CAPACITY * BIN_STRIDE);
};

// crops: (count, SIDE, SIDE, 3). angles: (count, 2, HEADS): the angles, then their spreads.
inline void run_sievepose(const SieveposeLayers& layers, const std::uint8_t* crops, std::ptrdiff_t count,
                          float* angles) {
    constexpr int CROP = Sievepose::SIDE * Sievepose::SIDE * COLOURS;
    SieveposeNetwork network(layers);
    for (std::ptrdiff_t done = 0; done < count; done += CROPS_AT_ONCE) {
        const int now = static_cast<int>(std::min<std::ptrdiff_t>(CROPS_AT_ONCE, count - done));
        for (int i = 0; i < now; ++i) network.convolve(crops + (done + i) * CROP, i);
        const float* bins = network.bins(now);
        for (int i = 0; i < now; ++i, bins += SieveposeNetwork::BIN_STRIDE, angles += 2 * Sievepose::HEADS)
            for (int head = 0; head < Sievepose::HEADS; ++head) {
                const Angle angle = angle_of(bins + head * Sievepose::BINS, layers.degrees[head]);
                angles[head] = static_cast<float>(angle.expected);
                angles[Sievepose::HEADS + head] = static_cast<float>(angle.spread);
            }
    }
}

}  // namespace facesieve::ISA
