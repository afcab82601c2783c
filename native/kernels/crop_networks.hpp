// R-Net and O-Net. Each crop goes through the convolutions alone; then several crops go through the dense layers
// together, because their weights are too large to be read again for each crop.
#pragma once

#include <algorithm>
#include <cstddef>

#include "../aligned.hpp"
#include "../architecture.hpp"
#include "../filters.hpp"
#include "../picture.hpp"
#include "crop_layers.hpp"
#include "lanes.hpp"
#include "panels.hpp"

namespace facesieve::ISA {

constexpr int CROPS_AT_ONCE = 36;                           // a multiple of the height of every tile
constexpr int CROP_CAPACITY = CROPS_AT_ONCE + MOST_PIXELS;  // the last tile may write that many more

// Net: Rnet or Onet.
template <class Net>
class CropNetwork {
public:
    explicit CropNetwork(const CascadeLayers& layers) : layers_(layers) {}

    // Convolves one crop; its features become row `at`.
    void convolve(const float* crop, int at) {
        convolve_and_pool_crop<Stage<0>, side_before<Net>(1)>(crop, layers_[0], rows_.data(), pooled_.data());
        convolve_from<1>(features_.data() + at * FEATURES);
    }

    // Answers about the first `count` rows of features: rows of PANEL numbers, of which the first ANSWERS are used.
    const float* answers(int count) {
        dense_of_crops<Dense>(features_.data(), layers_[CONVOLUTIONS], count, hidden_.data());
        dense_of_crops<Heads>(hidden_.data(), layers_[CONVOLUTIONS + 1], count, answers_.data());
        return answers_.data();
    }

private:
    static constexpr int CONVOLUTIONS = convolutions<Net>();
    static constexpr int FEATURES = features<Net>();

    template <int N>
    using Stage = SquareLayer<side_before<Net>(N), Net::CONVOLUTIONS[N].channels,
                              N == 0 ? COLOURS : padded(Net::CONVOLUTIONS[N].channels), Net::CONVOLUTIONS[N].kernel,
                              Net::CONVOLUTIONS[N].filters>;
    using Dense = SquareLayer<CROP_CAPACITY, FEATURES, FEATURES, 1, Net::DENSE>;
    using Heads = SquareLayer<CROP_CAPACITY, Net::DENSE, Net::DENSE, 1, Net::ANSWERS>;
    static_assert(Net::CONVOLUTIONS[CONVOLUTIONS - 1].filters % PANEL == 0, "features must have no gaps");
    static_assert(Net::DENSE % PANEL == 0 && Net::ANSWERS <= PANEL);
    static_assert(Net::CONVOLUTIONS[0].pool == 3);

    // Convolutions N.. from pooled_ to `out`.
    template <int N>
    void convolve_from(float* out) {
        using Here = Stage<N>;
        if constexpr (N + 1 == CONVOLUTIONS) {
            convolve_crop<Here>(pooled_.data(), layers_[N], out);
        } else {
            convolve_crop<Here>(pooled_.data(), layers_[N], map_.data());
            pool_crop<Net::CONVOLUTIONS[N].pool, Here::out, side_before<Net>(N + 1), Here::out_stride>(map_.data(),
                                                                                                       pooled_.data());
            convolve_from<N + 1>(out);
        }
    }

    // The first map is the largest that is pooled, the second the largest that exists as a whole.
    const CascadeLayers& layers_;
    Floats rows_ = Floats::zeros(3 * Stage<0>::out * Stage<0>::out_stride);
    Floats pooled_ = Floats::zeros(side_before<Net>(1) * side_before<Net>(1) * Stage<0>::out_stride);
    Floats map_ = Floats::zeros(Stage<1>::out * Stage<1>::out * Stage<1>::out_stride);
    Floats features_ = Floats::zeros(CROP_CAPACITY * FEATURES);
    Floats hidden_ = Floats::zeros(CROP_CAPACITY * Net::DENSE);
    Floats answers_ = Floats::zeros(CROP_CAPACITY * PANEL);
};

// answers: (count, Net::ANSWERS); the first of each row becomes a probability.
template <class Net>
inline void run_crop_network(const CascadeLayers& layers, const float* crops, std::ptrdiff_t count, float* answers) {
    constexpr int CROP = Net::SIDE * Net::SIDE * COLOURS;
    CropNetwork<Net> net(layers);
    for (std::ptrdiff_t done = 0; done < count; done += CROPS_AT_ONCE) {
        const int now = static_cast<int>(std::min<std::ptrdiff_t>(CROPS_AT_ONCE, count - done));
        for (int i = 0; i < now; ++i) net.convolve(crops + (done + i) * CROP, i);
        const float* rows = net.answers(now);
        for (int i = 0; i < now; ++i, rows += PANEL, answers += Net::ANSWERS) {
            std::copy_n(rows, Net::ANSWERS, answers);
            answers[0] = sigmoid(rows[0]);
        }
    }
}

}  // namespace facesieve::ISA
