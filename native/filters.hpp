// A layer's weights as the kernels read them: lanes run along the filters. Filters that fill up the last panel are
// zeros, so that they answer 0, which is also what swish makes of it.
#pragma once

#include <algorithm>
#include <cmath>

#include "aligned.hpp"

namespace facesieve {

constexpr int PANEL = 16;  // channels that lie side by side

constexpr int panels(int channels) { return (channels + PANEL - 1) / PANEL; }
constexpr int padded(int channels) { return panels(channels) * PANEL; }

// rows: (count, taps); biases: (count,).
struct Rows {
    const float *rows, *biases;
    int count, taps;
};

// Each filter sees one channel. weights: (panel, tap, PANEL).
struct Depthwise {
    int count = 0, taps = 0;
    Floats weights, bias;

    Depthwise() = default;
    explicit Depthwise(const Rows& given)
        : count(given.count), taps(given.taps), weights(std::size_t(padded(count)) * taps), bias(padded(count)) {
        std::fill_n(weights.data(), weights.size(), 0.f);
        std::fill_n(bias.data(), bias.size(), 0.f);
        std::copy_n(given.biases, count, bias.data());
        for (int filter = 0; filter < count; ++filter)
            for (int tap = 0; tap < taps; ++tap)
                weights.data()[(std::size_t(filter / PANEL) * taps + tap) * PANEL + filter % PANEL] =
                    given.rows[filter * taps + tap];
    }

    const float* panel(int index) const { return weights.data() + std::size_t(index) * taps * PANEL; }
};

// Products are of sixteen-bit integers, two taps at a time: half as much to read, and one and a half times as many
// products, as in single precision. Inputs are whole steps, at most MOST_STEPS from zero, and a filter's own steps are
// so long that its integers' magnitudes add up to no more than 2^31 / MOST_STEPS: no sum can leave its 32 bits,
// whatever the picture.
constexpr int MOST_STEPS = 8191;

// Each filter sees all taps. weights: (panel, pair of taps, PANEL, 2); a run of taps of odd length ends with a zero.
// step: what an integer stands for, (panel, PANEL).
struct Filters {
    int count = 0, taps = 0;  // taps of the packed filter, zeros included
    Shorts weights;
    Floats step, bias;

    Filters() = default;

    // run: how many taps lie side by side in what goes in.
    Filters(const Rows& given, int run)
        : count(given.count),
          taps(given.taps / run * (run + run % 2)),
          weights(std::size_t(padded(count)) * taps),
          step(padded(count)),
          bias(padded(count)) {
        std::fill_n(weights.data(), weights.size(), std::int16_t{0});
        std::fill_n(step.data(), step.size(), 0.f);
        std::fill_n(bias.data(), bias.size(), 0.f);
        std::copy_n(given.biases, count, bias.data());
        for (int filter = 0; filter < count; ++filter) {
            const float* row = given.rows + std::size_t(filter) * given.taps;
            const double length = step_of(row, given.taps);
            step.data()[filter] = static_cast<float>(length);
            std::int16_t* to = weights.data() + std::size_t(filter / PANEL) * taps * PANEL + filter % PANEL * 2;
            for (int tap = 0, at = 0; tap < given.taps; ++tap, ++at) {
                const long whole = length > 0 ? std::lrint(row[tap] / length) : 0;
                to[at / 2 * 2 * PANEL + at % 2] = static_cast<std::int16_t>(whole);
                if (run % 2 && tap % run == run - 1) ++at;
            }
        }
    }

    const std::int16_t* panel(int index) const { return weights.data() + std::size_t(index) * taps * PANEL; }

private:
    static double step_of(const float* row, int taps) {
        double most = 0, sum = 0;
        for (int tap = 0; tap < taps; ++tap) {
            most = std::max(most, std::abs(double{row[tap]}));
            sum += std::abs(double{row[tap]});
        }
        const double room = 2147483647. / MOST_STEPS - taps / 2.;  // rounding adds up to half a step a tap
        return std::max(most / 32767., sum / room);
    }
};

}  // namespace facesieve
