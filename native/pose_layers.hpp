// The layers of Sievepose.
#pragma once

#include <vector>

#include "picture.hpp"

namespace facesieve {

// layers: its convolutions, and the dense layer of all bins. degrees: the angle of each bin, by head.
struct SieveposeLayers {
    float mean[COLOURS], deviation[COLOURS];
    CascadeLayers layers;
    std::vector<std::vector<double>> degrees;
};

}  // namespace facesieve
