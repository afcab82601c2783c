// An EfficientNet that ends in rows of bins, as WHENet is one: its layers, packed.
#pragma once

#include <vector>

#include "filters.hpp"
#include "picture.hpp"

namespace facesieve {

// A mobile inverted bottleneck with squeeze and excitation. The expansion of the first block is the network's stem,
// a 3 x 3 convolution with stride 2 over the picture, taps (ky, kx, colour); all others are 1 x 1.
struct Block {
    int kernel, stride;  // of the depthwise filters
    bool skip;           // whether the block's input is added to its answer
    Filters expand;
    Depthwise depthwise;
    Filters squeeze, excite, project;
};

struct Head {
    int bins;
    std::vector<double> degrees;  // what each bin stands for
};

struct Efficient {
    static constexpr int SIDE = 224;  // of a crop, in pixels

    float mean[COLOURS], deviation[COLOURS];
    std::vector<Block> blocks;
    Filters features, logits;  // the heads' bins one after the other
    std::vector<Head> heads;
};

}  // namespace facesieve
