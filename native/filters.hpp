// How the filters of a layer are packed: the lanes of a vector belong to neighbouring filters. The last panel is filled
// up with filters of zeros, whose output is 0.
#pragma once

namespace facesieve {

constexpr int PANEL = 16;  // how many filters lie side by side

constexpr int panels(int filters) { return (filters + PANEL - 1) / PANEL; }
constexpr int padded(int filters) { return panels(filters) * PANEL; }

}  // namespace facesieve
