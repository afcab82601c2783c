// The layers of pose networks: of WHENet, an EfficientNet whose heads are rows of bins, and of Sievepose.
#pragma once

#include <vector>

#include "filters.hpp"
#include "picture.hpp"

namespace facesieve {

// A mobile inverted bottleneck with squeeze and excitation. The expansion of the first block is the network's stem,
// a 3 x 3 convolution with stride 2 over the picture, taps (ky, kx, colour); all other expansions are 1 x 1.
struct Block {
    int kernel, stride;  // of the depthwise filters
    bool skip;           // whether the block's input is added to its output
    Filters expand;
    Depthwise depthwise;
    Filters squeeze, excite, project;
};

struct Head {
    int bins;
    std::vector<double> degrees;  // the angle of each bin
};

struct PoseLayers {
    static constexpr int SIDE = 224;  // of a crop, in pixels

    float mean[COLOURS], deviation[COLOURS];
    std::vector<Block> blocks;
    Filters features, logits;  // logits: the bins of all heads, head after head
    std::vector<Head> heads;
};

// Sievepose. layers: its convolutions, and the dense layer of all bins. degrees: the angle of each bin, by head.
struct SieveposeLayers {
    float mean[COLOURS], deviation[COLOURS];
    CascadeLayers layers;
    std::vector<std::vector<double>> degrees;
};

}  // namespace facesieve
