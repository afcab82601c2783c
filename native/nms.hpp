// Greedy non-maximum suppression.
#pragma once

#include <cstddef>
#include <vector>

namespace facesieve {

// boxes: (count, 4) x1, y1, x2, y2, both ends inside; order: indices by falling score.
// Overlap is intersection over union, or over the smaller area. Returns the indices that stay, in that order.
std::vector<std::ptrdiff_t> suppress(const double* boxes, const std::vector<std::ptrdiff_t>& order, double threshold,
                                     bool minimum);

}  // namespace facesieve
