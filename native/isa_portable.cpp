// The kernels for every processor: SSE2 on x86-64, NEON on aarch64.
#include "kernels/baseline.hpp"

#define ISA portable
#include "kernels/table.hpp"
