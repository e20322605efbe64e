// What stands behind the handles of the public headers, for smll's own code.
#pragma once

#include <memory>
#include <utility>

#include "api/model_source.h"
#include "codec/dictionary.h"
#include "smll/dictionary.h"
#include "smll/smll.h"

namespace smll {

struct Model::State {
  explicit State(ModelOptions options) : source(std::move(options)) {}
  api::ModelSource source;
};

struct Dictionary::State {
  std::shared_ptr<const codec::Dictionary> content;  // never null
};

struct Internals {
  static api::ModelSource& source(const Model& model) { return model.state_->source; }
  static const std::shared_ptr<const codec::Dictionary>& content(const Dictionary& dictionary) {
    return dictionary.state_->content;
  }
  static Dictionary dictionary(std::shared_ptr<const codec::Dictionary> content) {
    return Dictionary(std::make_shared<Dictionary::State>(Dictionary::State{std::move(content)}));
  }
};

}  // namespace smll
