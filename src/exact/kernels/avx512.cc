#include "exact/kernels/kernels.h"

namespace smll::exact {
const Kernels* avx512_kernels() { return nullptr; }
}  // namespace smll::exact
