// A model's file that may say anything: reading its vocabulary and weights, and one step of the
// engine on what was accepted.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "codec/loaded_model.h"
#include "smll/error.h"
#include "smll/io.h"

namespace {

// A file in memory: loading takes a path, and a disk would be what is measured.
std::string as_file(const std::uint8_t* data, std::size_t size) {
  static const int fd = memfd_create("gguf_fuzz", MFD_CLOEXEC);
  if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != static_cast<ssize_t>(size)) {
    std::abort();
  }
  return "/proc/self/fd/" + std::to_string(fd);
}

void step(const smll::codec::LoadedModel& model) {
  const auto predictor = model.make_predictor();
  const smll::Token token = predictor->start_token();
  smll::lm::Distribution next;
  const smll::lm::LaneInput input{predictor->open_lane(), {&token, 1}, {}, {}, {&next, 1}};
  predictor->feed({&input, 1});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace smll;
  codec::LoadOptions options;
  options.threads = 1;
  options.window = 64;
  try {
    step(*codec::LoadedModel::load(as_file(data, size), options));
  } catch (const Error&) {
  }
  return 0;
}
