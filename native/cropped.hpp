// R-Net and O-Net: a crop goes through its convolutions alone, then a handful of crops shares the dense layers,
// whose weights are too large to be read for one crop at a time.

namespace facesieve::ISA {

constexpr int HANDFUL = 36;  // crops; a multiple of every tile's height, and one tile more is room enough
constexpr int ROOM = HANDFUL + MOST_PIXELS;

// Floats aligned to cache lines: a vector across two of them costs two reads.
class Scratch {
public:
    float* take(std::size_t count) {
        blocks_.emplace_back(count + ALIGNMENT / sizeof(float));
        void* at = blocks_.back().data();
        std::size_t space = blocks_.back().size() * sizeof(float);
        return static_cast<float*>(std::align(ALIGNMENT, count * sizeof(float), at, space));
    }

private:
    static constexpr std::size_t ALIGNMENT = 64;
    std::vector<std::vector<float>> blocks_;
};

class Rnet {
public:
    static constexpr int SIDE = 24;
    static constexpr int ANSWERS = 5;  // logit, regression

    explicit Rnet(const Layers& layers) : layers_(layers) {}

    void features(const float* crop, int at) {
        convolve_and_pool<First, 11>(crop, layers_[0], ring_, pooled_);
        convolve<Second>(pooled_, layers_[1], map_);
        pool<3, Second::out, 4, Second::out_stride>(map_, pooled_);
        convolve<Third>(pooled_, layers_[2], features_ + at * FEATURES);
    }

    // Rows of PANEL numbers, of which ANSWERS count.
    const float* answers(int count) {
        dense<Dense>(features_, layers_[3], count, hidden_);
        dense<Heads>(hidden_, layers_[4], count, answers_);
        return answers_;
    }

private:
    using First = Shape<24, 3, 3, 3, 28>;
    using Second = Shape<11, 28, 32, 3, 48>;
    using Third = Shape<4, 48, 48, 2, 64>;
    static constexpr int FEATURES = Third::out * Third::out * Third::filters;
    using Dense = Shape<ROOM, FEATURES, FEATURES, 1, 128>;
    using Heads = Shape<ROOM, 128, 128, 1, ANSWERS>;

    const Layers& layers_;
    Scratch scratch_;
    float* ring_ = scratch_.take(3 * First::out * First::out_stride);
    float* pooled_ = scratch_.take(11 * 11 * First::out_stride);
    float* map_ = scratch_.take(Second::out * Second::out * Second::out_stride);
    float* features_ = scratch_.take(ROOM * FEATURES);
    float* hidden_ = scratch_.take(ROOM * 128);
    float* answers_ = scratch_.take(ROOM * PANEL);
};

class Onet {
public:
    static constexpr int SIDE = 48;
    static constexpr int ANSWERS = 15;  // logit, regression, landmarks

    explicit Onet(const Layers& layers) : layers_(layers) {}

    void features(const float* crop, int at) {
        convolve_and_pool<First, 23>(crop, layers_[0], ring_, pooled_);
        convolve<Second>(pooled_, layers_[1], map_);
        pool<3, Second::out, 10, Second::out_stride>(map_, pooled_);
        convolve<Third>(pooled_, layers_[2], map_);
        pool<2, Third::out, 4, Third::out_stride>(map_, pooled_);
        convolve<Fourth>(pooled_, layers_[3], features_ + at * FEATURES);
    }

    const float* answers(int count) {
        dense<Dense>(features_, layers_[4], count, hidden_);
        dense<Heads>(hidden_, layers_[5], count, answers_);
        return answers_;
    }

private:
    using First = Shape<48, 3, 3, 3, 32>;
    using Second = Shape<23, 32, 32, 3, 64>;
    using Third = Shape<10, 64, 64, 3, 64>;
    using Fourth = Shape<4, 64, 64, 2, 128>;
    static constexpr int FEATURES = Fourth::out * Fourth::out * Fourth::filters;
    using Dense = Shape<ROOM, FEATURES, FEATURES, 1, 256>;
    using Heads = Shape<ROOM, 256, 256, 1, ANSWERS>;

    const Layers& layers_;
    Scratch scratch_;
    float* ring_ = scratch_.take(3 * First::out * First::out_stride);
    float* pooled_ = scratch_.take(23 * 23 * First::out_stride);
    float* map_ = scratch_.take(Second::out * Second::out * Second::out_stride);
    float* features_ = scratch_.take(ROOM * FEATURES);
    float* hidden_ = scratch_.take(ROOM * 256);
    float* answers_ = scratch_.take(ROOM * PANEL);
};

// answers: (count, Net::ANSWERS); the first of each row is turned from a logit into a probability.
template <class Net>
inline void judge_crops(const Layers& layers, const float* crops, std::ptrdiff_t count, float* answers) {
    constexpr int CROP = Net::SIDE * Net::SIDE * COLOURS;
    Net net(layers);
    for (std::ptrdiff_t done = 0; done < count; done += HANDFUL) {
        const int now = static_cast<int>(std::min<std::ptrdiff_t>(HANDFUL, count - done));
        for (int i = 0; i < now; ++i) net.features(crops + (done + i) * CROP, i);
        const float* rows = net.answers(now);
        for (int i = 0; i < now; ++i, rows += PANEL, answers += Net::ANSWERS) {
            std::copy_n(rows, Net::ANSWERS, answers);
            answers[0] = sigmoid(rows[0]);
        }
    }
}

}  // namespace facesieve::ISA
