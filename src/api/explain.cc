#include "smll/explain.h"

#include "api/internals.h"
#include "codec/explain.h"

namespace smll {
namespace {

api::LoadedModelPtr model_for(const Model& model, ByteView text) {
  if (text.size() > kMaxExplained) {
    throw Error(ErrorKind::kData,
                "the text to explain is larger than " + std::to_string(kMaxExplained) + " bytes");
  }
  return Internals::source(model).for_writing();
}

codec::Alive alive(const Progress& progress) {
  return [&progress] {
    if (progress) progress(Stats());
  };
}

}  // namespace

std::vector<TokenCost> explain(const Model& model, ByteView text, std::size_t guesses,
                               const Progress& progress) {
  return codec::explain(text, *model_for(model, text), guesses, alive(progress));
}

Ablation ablate(const Model& model, ByteView text, const Progress& progress) {
  return codec::ablate(text, *model_for(model, text), alive(progress));
}

}  // namespace smll
