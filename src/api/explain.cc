#include "smll/explain.h"

#include "api/model_source.h"
#include "codec/explain.h"

namespace smll {
namespace {

api::LoadedModelPtr model_for(const Model& model, ByteView text) {
  if (text.size() > kMaxExplained) {
    throw Error(ErrorKind::kData,
                "the text to explain is larger than " + std::to_string(kMaxExplained) + " bytes");
  }
  return model.source()->for_writing();
}

}  // namespace

std::vector<TokenCost> explain(const Model& model, ByteView text, std::size_t guesses) {
  return codec::explain(text, *model_for(model, text), guesses);
}

Ablation ablate(const Model& model, ByteView text) {
  return codec::ablate(text, *model_for(model, text));
}

}  // namespace smll
