// A pose network: a crop goes through all blocks, and each row of bins yields its expected angle.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "../aligned.hpp"
#include "../filters.hpp"
#include "../picture.hpp"
#include "../pose_layers.hpp"
#include "bottleneck.hpp"
#include "expectation.hpp"
#include "lanes.hpp"
#include "product.hpp"
#include "swish.hpp"

namespace facesieve::ISA {

// Sums the swish of all pixels. Only the mean of the last map is needed, so that the map itself is never stored.
struct SumActivated {
    float* totals;

    template <int PIXELS, int VECTORS>
    void operator()(int, const Lanes (&sum)[PIXELS][VECTORS]) const {
#pragma GCC unroll 16
        for (int v = 0; v < VECTORS; ++v) {
            Lanes total = load(totals + v * LANES);
#pragma GCC unroll 16
            for (int p = 0; p < PIXELS; ++p) total += swish(sum[p][v]);
            store(totals + v * LANES, total);
        }
    }
};

class PoseNetwork {
public:
    explicit PoseNetwork(const PoseLayers& net) : net_(net) {
        std::size_t band = 0, filtered = 0, gated = 0, map = 0, channels = padded(net.features.count);
        int side = strided_side(PoseLayers::SIDE, 2);
        for (const Block& block : net.blocks) {
            const FilterGrid grid(side, block);
            side = grid.out;
            const std::size_t pixels = std::size_t(side) * side, expanded = padded(block.expand.count);
            band = std::max(band, Bands(grid, block).floats());
            filtered = std::max(filtered, pixels * expanded);
            gated = std::max(gated, projected_at_once(block, side * side) * expanded);
            map = std::max(map, pixels * padded(block.project.count));
            channels = std::max({channels, expanded, std::size_t(padded(block.squeeze.count))});
        }
        for (int c = 0; c < COLOURS; ++c)
            for (const float end : {0.f, 255.f})
                picture_peak_ = std::max(picture_peak_, std::abs((end - net.mean[c]) / net.deviation[c]));
        picture_ = Shorts(PICTURE * PICTURE * COLOURS + 1);
        band_ = Floats(band);
        filtered_ = Floats(filtered);
        gated_ = Shorts(gated);
        integers_ = Shorts(std::max(map, channels));
        in_ = Floats(map);
        out_ = Floats(map);
        totals_ = Floats(channels);
        peaks_ = Floats(channels);
        squeezed_ = Floats(channels);
        gates_ = Floats(channels);
        logits_ = Floats(padded(net.logits.count));
    }

    // crop: (SIDE, SIDE, 3) RGB; degrees: one angle for each head.
    void operator()(const std::uint8_t* crop, float* degrees) {
        normalise(crop);
        int side = strided_side(PoseLayers::SIDE, 2);
        const Quantised picture{picture_.data(), picture_peak_ / MOST_STEPS};
        bool first = true;
        for (const Block& block : net_.blocks) {
            const FilterGrid grid(side, block);
            if (first)
                expand_and_filter<Stem>(block, {picture, PICTURE}, grid, band_.data(), filtered_.data(), totals_.data(),
                                        peaks_.data());
            else
                expand_and_filter<Pointwise>(block, {quantised_input(block.expand, side), side}, grid, band_.data(),
                                             filtered_.data(), totals_.data(), peaks_.data());
            side = grid.out;
            squeeze_and_excite(block, side * side, totals_.data(), integers_.data(), squeezed_.data(), gates_.data());
            in_peak_ = project(block, filtered_.data(), side * side, peaks_.data(), gates_.data(), gated_.data(),
                               block.skip ? in_.data() : nullptr, out_.data());
            std::swap(in_, out_);
            first = false;
        }
        means(side);
        dense_of_integers<identity>(totals_.data(), net_.logits, integers_.data(), logits_.data());
        const float* logits = logits_.data();
        for (const Head& head : net_.heads) {
            *degrees++ = static_cast<float>(angle_of(logits, head.degrees).expected);
            logits += head.bins;
        }
    }

private:
    static constexpr int PICTURE = PoseLayers::SIDE + 1;

    void normalise(const std::uint8_t* crop) {
        constexpr int ROW = PoseLayers::SIDE * COLOURS, PERIOD = COLOURS * LANES;
        static_assert(ROW % PERIOD == 0);
        float mean[PERIOD], scale[PERIOD];
        for (int i = 0; i < PERIOD; ++i)
            mean[i] = net_.mean[i % COLOURS], scale[i] = MOST_STEPS / (picture_peak_ * net_.deviation[i % COLOURS]);
        std::int16_t* to = picture_.data();
        for (int y = 0; y < PoseLayers::SIDE; ++y) {
            for (int x = 0; x < ROW; x += PERIOD)
                for (int i = 0; i < PERIOD; i += LANES, crop += LANES, to += LANES)
                    store_nearest(to, widen(crop) - load(mean + i), load(scale + i));
            for (int c = 0; c < COLOURS; ++c) *to++ = 0;
        }
        std::fill_n(to, PICTURE * COLOURS + 1, std::int16_t{0});
    }

    // in_ in the form that the filters read.
    Quantised quantised_input(const Filters& filters, int side) {
        return quantise(in_.data(), filters.taps, side * side, in_peak_, integers_.data());
    }

    void means(int side) {
        std::fill_n(totals_.data(), padded(net_.features.count), 0.f);
        const Quantised map = quantised_input(net_.features, side);
        const Taps taps{net_.features.taps, PANEL, std::ptrdiff_t{side} * side * PANEL};
        each_panel_group(net_.features.count, [&](int panel, auto vectors) {
            const SumActivated sum{totals_.data() + panel * PANEL};
            product<PANEL, vectors>(map, side * side, taps, net_.features, panel, sum);
        });
        for (int i = 0; i < net_.features.count; ++i) totals_.data()[i] /= static_cast<float>(side * side);
    }

    const PoseLayers& net_;
    float picture_peak_ = 0, in_peak_ = 0;  // the largest magnitudes in picture_ and in_
    Shorts picture_, integers_, gated_;
    Floats band_, filtered_, in_, out_, totals_, peaks_, squeezed_, gates_, logits_;
};

inline void estimate_pose(const PoseLayers& net, const std::uint8_t* crops, std::ptrdiff_t count, float* degrees) {
    constexpr int CROP = PoseLayers::SIDE * PoseLayers::SIDE * COLOURS;
    PoseNetwork network(net);
    for (std::ptrdiff_t i = 0; i < count; ++i, crops += CROP, degrees += net.heads.size()) network(crops, degrees);
}

}  // namespace facesieve::ISA
