#include "includes.hpp"

#define ISA portable
#include "kernels.inc"

namespace facesieve {
const Kernels portable_kernels{"portable",
                             ISA::propose,
                             ISA::level,
                             ISA::crop,
                             ISA::judge_crops<ISA::Rnet>,
                             ISA::judge_crops<ISA::Onet>,
                             ISA::turn,
                             ISA::multiply_adds};
}
