// What a caller says about where the exact engine computes.
#pragma once

#include <memory>
#include <string>

namespace smll::exact::cuda {

class Device;

// Null for the processor. `choice`: "" or "cpu"; "cuda", the first GPU, or "cuda:N"; "auto", the
// first GPU where there is one that can be used. Throws Error(kUsage) for another word, and what
// Device::open() throws but for "auto".
std::shared_ptr<Device> open_choice(const std::string& choice);

// Throws Error(kUsage) for a word that open_choice() does not know.
void check_choice(const std::string& choice);

}  // namespace smll::exact::cuda
