// Greedy non-maximum suppression.
#pragma once

#include <cstddef>
#include <vector>

namespace facesieve {

// boxes: (count, 4) x1, y1, x2, y2, both ends inside, best first.
// Overlap is intersection over union, or over the smaller area. Returns the indices that stay.
std::vector<std::ptrdiff_t> suppress(const double* boxes, std::ptrdiff_t count, double threshold, bool minimum);

}  // namespace facesieve
