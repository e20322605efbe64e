// Whether whoever computes here gets the hard cases of known_answers.h right.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "lm/exact/cpu/kernels.h"

namespace smll::exact {

// Throws Error(kModel) where a result, in the order of kKnownAnswers, is not the known one. `who`
// computed them.
void expect_known_answers(std::span<const std::uint32_t> results, const std::string& who);

// The processor's own operations, and those of the kernels as far as they can be seen alone. Throws
// as above. Wants the exact arithmetic's floating-point environment.
void check_processor(const Kernels& kernels);

}  // namespace smll::exact
