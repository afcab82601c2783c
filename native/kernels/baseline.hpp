// Everything that the kernels include from outside this folder. Each isa_*.cpp includes it before it sets its target.
// So the inline functions of other headers are compiled for the baseline processor in every object file, and it does
// not matter whose copy the linker keeps. A test compares this list with what the kernels include.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "../aligned.hpp"
#include "../architecture.hpp"
#include "../area.hpp"
#include "../filters.hpp"
#include "../kernels.hpp"
#include "../picture.hpp"
#include "../pose_layers.hpp"
