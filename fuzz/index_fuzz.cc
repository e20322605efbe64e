// The cache's index of models, which may hold anything. SMLL_CACHE names a directory for it.
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "hub/registry.h"
#include "smll/models.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smll;
  static const std::filesystem::path index = [] {
    const char* cache = std::getenv("SMLL_CACHE");
    if (cache == nullptr) {
      std::fputs("set SMLL_CACHE to a directory of the fuzzer's own\n", stderr);
      std::exit(2);
    }
    std::filesystem::create_directories(cache);
    return std::filesystem::path(cache) / "index.json";
  }();
  std::ofstream(index, std::ios::binary)
      .write(reinterpret_cast<const char*>(data), static_cast<std::streamsize>(size));
  for (const hub::SeenModel& seen : hub::seen_models()) {
    format::ModelRecord record;
    record.backend = seen.backend;
    record.fingerprint = seen.identity.fingerprint();
    hub::find_seen(record);
  }
  list_models();
  try {
    find_model("a name of no model");
  } catch (const Error&) {
  }
  // What is added comes back, whatever was there.
  hub::remember({.identity = {.weights = 0x1234, .vocabulary = 0x56},
                 .name = "name",
                 .path = "/no/such/file",
                 .size = 99});
  for (const hub::SeenModel& seen : hub::seen_models()) {
    if (seen.identity.weights == 0x1234 && seen.path == "/no/such/file" && seen.size == 99)
      return 0;
  }
  std::abort();
}
