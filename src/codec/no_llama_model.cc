// In place of llama_model.cc where smll is built without llama.cpp.
#include "codec/llama_model.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

[[noreturn]] void refuse() {
  throw Error(ErrorKind::kUsage,
              "this smll was built without llama.cpp, which --backend llama needs; build one with "
              "cmake -DSMLL_LLAMA=ON or pip install -C cmake.define.SMLL_LLAMA=ON");
}

}  // namespace

std::shared_ptr<const ModelFile> read_llama_file(const std::string& /*path*/) { refuse(); }

std::shared_ptr<const LoadedModel> make_llama_model(
    const std::string& /*path*/, const LoadOptions& /*options*/,
    const std::shared_ptr<const ModelFile>& /*file*/) {
  refuse();
}

}  // namespace smll::codec
