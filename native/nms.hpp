// Greedy non-maximum suppression.
#pragma once

#include <cstddef>
#include <vector>

namespace facesieve {

// boxes: (count, 4) x1, y1, x2, y2, best first; both corners belong to the box. threshold: a box is dropped when it
// overlaps a better one by more than this. minimum: whether the intersection is divided by the smaller area instead of
// the union. Returns the indices of the boxes that are kept.
std::vector<std::ptrdiff_t> suppress(const double* boxes, std::ptrdiff_t count, double threshold, bool minimum);

}  // namespace facesieve
