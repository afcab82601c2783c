// The angle that a row of bins expects (Ruiz et al., 2018, https://arxiv.org/abs/1710.00925), and how sure it is.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "lanes.hpp"

namespace facesieve::ISA {

struct Angle {
    double expected, spread;  // mean and standard deviation over the bins
};

// degrees: the angle of each bin.
inline Angle angle_of(const float* logits, const std::vector<double>& degrees) {
    const double most = *std::max_element(logits, logits + degrees.size());
    double sum = 0, first = 0, second = 0;
    for (std::size_t bin = 0; bin < degrees.size(); ++bin) {
        const double share = std::exp(logits[bin] - most);
        sum += share;
        first += share * degrees[bin];
        second += share * degrees[bin] * degrees[bin];
    }
    const double expected = first / sum;
    return {expected, std::sqrt(std::max(second / sum - expected * expected, 0.))};
}

}  // namespace facesieve::ISA
