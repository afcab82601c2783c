// Which instruction sets this machine runs.
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels.hpp"

namespace facesieve {

std::vector<const Kernels*> runnable_kernels() {
    std::vector<const Kernels*> found;
#if defined(__x86_64__)
    __builtin_cpu_init();
    const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        found.push_back(&avx512::kernels);
    if (has_avx2) found.push_back(&avx2::kernels);
#endif
    found.push_back(&portable::kernels);
    return found;
}

const Kernels& kernels_named(const std::string& name) {
    for (const Kernels* kernels : runnable_kernels())
        if (name.empty() || name == kernels->name) return *kernels;
    throw std::invalid_argument("instruction set '" + name + "' is not in this build or does not run on this machine");
}

}  // namespace facesieve
