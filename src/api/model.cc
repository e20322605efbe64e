#include "api/internals.h"
#include "smll/smll.h"

namespace smll {

Model::Model(ModelOptions options) : state_(std::make_shared<State>(std::move(options))) {}

void Model::load() const { state_->source.for_writing(); }

std::optional<ModelInfo> Model::info() const { return state_->source.info(); }

const ModelOptions& Model::options() const { return state_->source.options(); }

const char* version() { return SMLL_VERSION; }

}  // namespace smll
