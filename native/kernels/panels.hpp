// How a panel of channels is divided into vectors, and how many pixels a tile of sums can have.
#pragma once

#include "../filters.hpp"
#include "lanes.hpp"

namespace facesieve::ISA {

constexpr int PARTS = PANEL / LANES;  // vectors of a panel
constexpr int MOST_PIXELS = 13;       // of a tile, even where registers are left

}  // namespace facesieve::ISA
