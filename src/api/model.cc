#include "api/model_source.h"
#include "smll/smll.h"

namespace smll {

Model::Model(ModelOptions options)
    : source_(std::make_shared<api::ModelSource>(std::move(options))) {}

void Model::load() const { source_->for_writing(); }

std::optional<ModelInfo> Model::info() const { return source_->info(); }

const ModelOptions& Model::options() const { return source_->options(); }

const char* version() { return "0.1.0"; }

}  // namespace smll
