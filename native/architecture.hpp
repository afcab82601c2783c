// The layers of P-Net, R-Net and O-Net (Zhang et al., 2016, https://arxiv.org/abs/1604.02878), and of Sievepose. Their
// sizes are constants here only; Python reads them from the weights.
#pragma once

namespace facesieve {

// No padding, stride 1, followed by a PReLU. If `pool` is not 0, a max pool of pool x pool with stride 2 follows, whose
// last window may reach beyond the map.
struct Convolution {
    int kernel, channels, filters, pool;
};

struct Pnet {
    static constexpr int WINDOW = 12;  // pixels that one cell sees, across and down
    static constexpr Convolution CONVOLUTIONS[]{{3, 3, 10, 2}, {3, 10, 16, 0}, {3, 16, 32, 0}};
    static constexpr int HEADS[]{1, 4};  // logit of a face; regression
};

// R-Net and O-Net see square crops. After the convolutions there is a dense layer of DENSE filters with a PReLU, and
// then a dense layer with all ANSWERS. These are the logit of a face, four numbers of regression, and ten of landmarks
// in O-Net.
struct Rnet {
    static constexpr int SIDE = 24;
    static constexpr Convolution CONVOLUTIONS[]{{3, 3, 28, 3}, {3, 28, 48, 3}, {2, 48, 64, 0}};
    static constexpr int DENSE = 128, ANSWERS = 5;
};

struct Onet {
    static constexpr int SIDE = 48;
    static constexpr Convolution CONVOLUTIONS[]{{3, 3, 32, 3}, {3, 32, 64, 3}, {3, 64, 64, 2}, {2, 64, 128, 0}};
    static constexpr int DENSE = 256, ANSWERS = 15;
};

// The pose network of our own, trained by training/pose. It sees square crops. Every convolution is 3 x 3 with a border
// of one pixel of zeros and is followed by a PReLU; its windows are `step` pixels apart. The mean of the last map goes
// to a dense layer: the bins of all heads, head after head.
struct Sievepose {
    struct Layer {
        int channels, filters, step;
    };
    static constexpr int SIDE = 64, KERNEL = 3, BORDER = 1, HEADS = 3, BINS = 66;
    static constexpr Layer LAYERS[]{{3, 16, 2},  {16, 16, 1}, {16, 16, 1},  {16, 32, 2}, {32, 32, 1},
                                    {32, 32, 1}, {32, 32, 1}, {32, 64, 2},  {64, 64, 1}, {64, 64, 1},
                                    {64, 64, 1}, {64, 128, 2}, {128, 128, 1}};
    static constexpr int COUNT = sizeof(LAYERS) / sizeof(Layer);
    static constexpr int FEATURES = LAYERS[COUNT - 1].filters;

    // Side of the map that layer `index` reads, without the border, or of the last map for index = COUNT.
    static constexpr int side_before(int index) {
        int side = SIDE;
        for (int i = 0; i < index; ++i) side = (side + 2 * BORDER - KERNEL) / LAYERS[i].step + 1;
        return side;
    }
};

template <class Net>
constexpr int convolutions() {
    return sizeof(Net::CONVOLUTIONS) / sizeof(Convolution);
}

constexpr int convolved(int side, const Convolution& layer) { return side - layer.kernel + 1; }
constexpr int pooled(int side, const Convolution& layer) { return layer.pool ? (side - layer.pool + 1) / 2 + 1 : side; }

// Side of the map that convolution `index` reads, or of the last map for index = convolutions<Net>().
template <class Net>
constexpr int side_before(int index) {
    int side = Net::SIDE;
    for (int i = 0; i < index; ++i) side = pooled(convolved(side, Net::CONVOLUTIONS[i]), Net::CONVOLUTIONS[i]);
    return side;
}

// How many numbers the last convolution computes for one crop.
template <class Net>
constexpr int features() {
    const int last = convolutions<Net>();
    return side_before<Net>(last) * side_before<Net>(last) * Net::CONVOLUTIONS[last - 1].filters;
}

}  // namespace facesieve
