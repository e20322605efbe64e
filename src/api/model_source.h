// Finds and loads the model that some data needs, once: what was found and loaded serves for the
// source's whole life, whatever becomes of the file.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "codec/loaded_model.h"
#include "format/records.h"
#include "smll/smll.h"

namespace smll::api {

using LoadedModelPtr = std::shared_ptr<const codec::LoadedModel>;

class ModelSource {
 public:
  // Throws Error(kUsage) for options that do not go together.
  explicit ModelSource(ModelOptions options);

  // The model that the options name.
  LoadedModelPtr for_writing() { return own(options_.download); }
  // The same, for data that names no model; never downloads.
  LoadedModelPtr for_reading_compact() { return own(false); }
  // The model that an archive names. Throws Error(kModel) when it is not here or not the right one.
  LoadedModelPtr for_reading(const format::ModelRecord& record);

  static format::ModelRecord record_of(const codec::LoadedModel& model);
  // What a person calls the model of a record; may be "".
  static std::string name_of(const format::ModelRecord& record);
  // The dictionary of a model's options, or the one that a record names. Throws Error(kModel) where
  // it is not here.
  std::shared_ptr<const codec::Dictionary> dictionary_of(const format::ModelRecord& record) const;
  // One number for everything that makes two models' codes differ.
  static std::uint64_t identity_of(const codec::LoadedModel& model);

  std::optional<ModelInfo> info();
  const ModelOptions& options() const { return options_; }

 private:
  LoadedModelPtr own(bool may_download);
  // What follows, up to check_fits(), is for holders of the lock. Users' functions are never called
  // with it: they may wait for another thread that needs it.
  LoadedModelPtr loaded_for(const format::ModelRecord& record);
  // From what is kept, where it is there.
  LoadedModelPtr load(const std::string& path, const codec::LoadOptions& options);
  // For later calls and, by its fingerprint, later runs. A model that an archive does not fit is
  // not kept: damaged archives could otherwise have one loaded for each window they claim.
  void keep(const LoadedModelPtr& model);
  // find_model() asks other programs where files are; once is enough.
  std::string find(const std::string& spec);
  std::string path_for_writing(bool may_download);
  std::string path_for_reading(const format::ModelRecord& record);
  static void check_fits(const codec::LoadedModel& model, const format::ModelRecord& record);

  codec::LoadOptions codec_options() const;
  // Whether for_writing() means the default model.
  bool is_default() const;
  void notice(const std::string& text);

  const ModelOptions options_;
  std::mutex mutex_;  // of what follows
  LoadedModelPtr own_;
  std::vector<LoadedModelPtr> loaded_;
  std::map<std::string, std::string> found_;  // paths
  std::set<std::string> noticed_;
};

}  // namespace smll::api
