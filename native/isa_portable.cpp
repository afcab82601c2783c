#include "kernels/baseline.hpp"

#define ISA portable
#include "kernels/table.hpp"
