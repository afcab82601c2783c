// The weights of a layer in the order in which the kernels read them: the lanes of a vector belong to neighbouring
// filters. The last panel is filled up with filters of zeros, whose output is 0; swish(0) is 0 too.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "aligned.hpp"

namespace facesieve {

constexpr int PANEL = 16;  // how many channels lie side by side

constexpr int panels(int channels) { return (channels + PANEL - 1) / PANEL; }
constexpr int padded(int channels) { return panels(channels) * PANEL; }

// Weights as they come from Python. weights: (count, taps); biases: (count,).
struct PlainFilters {
    const float *weights, *biases;
    int count, taps;
};

// Each filter sees one channel. weights: (panel, tap, PANEL).
struct Depthwise {
    int count = 0, taps = 0;
    Floats weights, bias;

    Depthwise() = default;
    explicit Depthwise(const PlainFilters& given)
        : count(given.count),
          taps(given.taps),
          weights(Floats::zeros(std::size_t(padded(count)) * taps)),
          bias(Floats::zeros(padded(count))) {
        std::copy_n(given.biases, count, bias.data());
        for (int filter = 0; filter < count; ++filter)
            for (int tap = 0; tap < taps; ++tap)
                weights.data()[(std::size_t(filter / PANEL) * taps + tap) * PANEL + filter % PANEL] =
                    given.weights[filter * taps + tap];
    }

    const float* panel(int index) const { return weights.data() + std::size_t(index) * taps * PANEL; }
};

// Weights and inputs are multiplied as sixteen-bit integers, two taps at a time. Compared with single precision, that
// reads half the bytes and computes 1.5 times as many products in the same time. An input is rounded to a whole number
// of steps, at most MOST_STEPS from zero. The step of a filter's weights is so large that the magnitudes of its
// integers add up to at most 2^31 / MOST_STEPS. So no sum can overflow 32 bits, whatever the picture shows.
constexpr int MOST_STEPS = 8191;

// Each filter sees all taps. weights: (panel, pair of taps, PANEL, 2); a zero completes a run of odd length.
// step: the value of the integer 1, (panel, PANEL).
struct Filters {
    int count = 0, taps = 0;  // taps: of the packed filter, zeros included
    Shorts weights;
    Floats step, bias;

    Filters() = default;

    // run: how many taps lie side by side in the input.
    Filters(const PlainFilters& given, int run)
        : count(given.count),
          taps(given.taps / run * (run + run % 2)),
          weights(Shorts::zeros(std::size_t(padded(count)) * taps)),
          step(Floats::zeros(padded(count))),
          bias(Floats::zeros(padded(count))) {
        std::copy_n(given.biases, count, bias.data());
        for (int filter = 0; filter < count; ++filter) {
            const float* from = given.weights + std::size_t(filter) * given.taps;
            const double length = step_of(from, given.taps);
            step.data()[filter] = static_cast<float>(length);
            std::int16_t* to = weights.data() + std::size_t(filter / PANEL) * taps * PANEL + filter % PANEL * 2;
            for (int tap = 0, at = 0; tap < given.taps; ++tap, ++at) {
                const long whole = length > 0 ? std::lrint(from[tap] / length) : 0;
                to[at / 2 * 2 * PANEL + at % 2] = static_cast<std::int16_t>(whole);
                if (run % 2 && tap % run == run - 1) ++at;
            }
        }
    }

    const std::int16_t* panel(int index) const { return weights.data() + std::size_t(index) * taps * PANEL; }

private:
    static double step_of(const float* weights, int taps) {
        double most = 0, sum = 0;
        for (int tap = 0; tap < taps; ++tap) {
            most = std::max(most, std::abs(double{weights[tap]}));
            sum += std::abs(double{weights[tap]});
        }
        const double room = 2147483647. / MOST_STEPS - taps / 2.;  // rounding adds up to half a step for each tap
        return std::max(most / 32767., sum / room);
    }
};

}  // namespace facesieve
