#include "lm/exact/cuda/choice.h"

#include <charconv>
#include <optional>
#include <string_view>

#include "lm/exact/cuda/device.h"
#include "smll/error.h"

namespace smll::exact::cuda {
namespace {

constexpr std::string_view kCuda = "cuda";

bool is_cpu(const std::string& choice) { return choice.empty() || choice == "cpu"; }

// The number of "cuda" and "cuda:N"; none of another word.
std::optional<int> number_of(std::string_view choice) {
  if (!choice.starts_with(kCuda)) return std::nullopt;
  choice.remove_prefix(kCuda.size());
  if (choice.empty()) return 0;
  if (!choice.starts_with(':')) return std::nullopt;
  choice.remove_prefix(1);
  int number = -1;
  const char* const end = choice.data() + choice.size();
  const auto [rest, error] = std::from_chars(choice.data(), end, number);
  if (error != std::errc() || rest != end || number < 0) return std::nullopt;
  return number;
}

}  // namespace

void check_choice(const std::string& choice) {
  if (is_cpu(choice) || choice == "auto" || number_of(choice)) return;
  throw Error(ErrorKind::kUsage, "unknown device '" + choice + "': auto, cpu, cuda or cuda:N");
}

std::shared_ptr<Device> open_choice(const std::string& choice) {
  check_choice(choice);
  if (is_cpu(choice)) return nullptr;
  if (const auto number = number_of(choice)) return Device::open(*number);
  try {
    return Device::open(0);
  } catch (const Error&) {
    return nullptr;
  }
}

}  // namespace smll::exact::cuda
