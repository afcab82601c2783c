#include "nms.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace facesieve {

namespace {

// The boxes that are kept so far, as columns, so that comparing a box with all of them is one loop over plain arrays.
struct KeptBoxes {
    std::vector<double> x1, y1, x2, y2, area;

    void add(const double* box, double size) {
        x1.push_back(box[0]), y1.push_back(box[1]), x2.push_back(box[2]), y2.push_back(box[3]), area.push_back(size);
    }

    bool overlap_more(const double* box, double size, double threshold, bool minimum) const {
        constexpr std::size_t BLOCK = 64;  // how many boxes are compared before the result is checked
        for (std::size_t from = 0; from < x1.size(); from += BLOCK) {
            int over = 0;
            for (std::size_t i = from; i < std::min(from + BLOCK, x1.size()); ++i) {
                const double width = std::max(0.0, std::min(x2[i], box[2]) - std::max(x1[i], box[0]) + 1);
                const double height = std::max(0.0, std::min(y2[i], box[3]) - std::max(y1[i], box[1]) + 1);
                const double shared = width * height;
                const double base = minimum ? std::min(area[i], size) : area[i] + size - shared;
                over |= !(shared / base <= threshold);
            }
            if (over) return true;
        }
        return false;
    }
};

}  // namespace

std::vector<std::ptrdiff_t> suppress(const double* boxes, std::ptrdiff_t count, double threshold, bool minimum) {
    KeptBoxes kept;
    std::vector<std::ptrdiff_t> indices;
    for (std::ptrdiff_t index = 0; index < count; ++index) {
        const double* box = boxes + 4 * index;
        const double size = (box[2] - box[0] + 1) * (box[3] - box[1] + 1);
        if (kept.overlap_more(box, size, threshold, minimum)) continue;
        kept.add(box, size);
        indices.push_back(index);
    }
    return indices;
}

}  // namespace facesieve
