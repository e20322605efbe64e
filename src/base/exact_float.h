// What the exact arithmetic needs of a build. Every source file that computes with it includes
// this.
#pragma once

// In front of all includes: libraries that are not there for such a processor hide no reason.
#if __SIZEOF_POINTER__ != 8
#error "smll is for 64-bit processors: sizes of archives and models are counted in std::size_t"
#endif
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "smll is for little-endian processors: weights are used as GGUF files have them"
#endif

#include <cfloat>
#include <limits>

// Such options let the compiler change results (docs/design/exactness.md). Which macros stand for
// them depends on the compiler.
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__) || \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "smll must be built without -ffast-math and its parts: archives depend on exact arithmetic"
#endif

namespace smll {

static_assert(std::numeric_limits<float>::is_iec559 && std::numeric_limits<double>::is_iec559 &&
                  FLT_EVAL_METHOD == 0,
              "the exact arithmetic needs IEEE floats and doubles, computed as such");

}  // namespace smll
