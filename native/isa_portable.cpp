#include "includes.hpp"

#define ISA portable
#include "kernels.inc"
