// Floats that begin on a cache line, and a layer's weights as the kernels read them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>

namespace facesieve {

// Not initialised. A vector across two cache lines costs two reads, so arrays begin on one.
class Floats {
public:
    Floats() = default;
    explicit Floats(std::size_t count)
        : at_(static_cast<float*>(::operator new[](count * sizeof(float), LINE))), count_(count) {}

    float* data() const { return at_.get(); }
    std::size_t size() const { return count_; }

private:
    static constexpr std::align_val_t LINE{64};
    struct Free {
        void operator()(float* at) const { ::operator delete[](at, LINE); }
    };
    std::unique_ptr<float[], Free> at_;
    std::size_t count_ = 0;
};

constexpr int PANEL = 16;  // channels that lie side by side

constexpr int panels(int channels) { return (channels + PANEL - 1) / PANEL; }
constexpr int padded(int channels) { return panels(channels) * PANEL; }

// A layer of `count` filters with `taps` numbers each. weights: (panel, tap, PANEL); bias: (panel, PANEL); filters
// that fill up the last panel are zeros, so that they answer 0, which is also what swish makes of it.
struct Filters {
    int taps = 0, count = 0;
    Floats weights, bias;

    Filters() = default;

    // rows: (count, taps); biases: (count,).
    Filters(const float* rows, const float* biases, int filters, int numbers)
        : taps(numbers), count(filters), weights(std::size_t(padded(filters)) * numbers), bias(padded(filters)) {
        std::fill_n(weights.data(), weights.size(), 0.f);
        std::fill_n(bias.data(), bias.size(), 0.f);
        std::copy_n(biases, count, bias.data());
        for (int filter = 0; filter < count; ++filter) {
            float* to = weights.data() + std::size_t(filter / PANEL) * taps * PANEL + filter % PANEL;
            for (int tap = 0; tap < taps; ++tap, to += PANEL) *to = *rows++;
        }
    }

    const float* panel(int index) const { return weights.data() + std::size_t(index) * taps * PANEL; }
};

}  // namespace facesieve
