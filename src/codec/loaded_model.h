// A model ready to code with: its vocabulary as a trie, its tokenizer and a source of predictors.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/thread_pool.h"
#include "codec/dictionary.h"
#include "codec/short_head.h"
#include "format/model_identity.h"
#include "lm/exact/isa.h"
#include "lm/predictor.h"
#include "lm/weights/weights.h"
#include "smll/options.h"
#include "smll/smll.h"
#include "text/tokenizer.h"
#include "text/vocabulary.h"

namespace smll::codec {

struct LoadOptions {
  Backend backend = Backend::kExact;
  std::string isa;      // "", "scalar", "avx2", "avx512", "amx", "neon"; "" lets the machine choose
  std::string device;   // lm/exact/cuda/choice.h; kExact
  int threads = 0;      // 0: one per core
  int window = 2048;    // tokens of context a lane sees
  bool learns = false;  // kExact: from the text that it codes (lm/exact/learner.h), with one lane
  std::shared_ptr<const Dictionary> dictionary = nullptr;  // kExact
};

struct ModelFile;
class Opening;
class Scheduler;

// Immutable after load(); may be shared by threads. Predictors made from it may not.
class LoadedModel {
 public:
  // Reads the GGUF file at `path`, unless the process has a model of the same file and backend:
  // then they share what was read. The file is not needed any more afterwards. Throws Error(kModel)
  // when it is missing, damaged or not supported, or changes while it is read, and where the
  // dictionary was made for another model or the backend has none.
  static std::shared_ptr<const LoadedModel> load(const std::string& path,
                                                 const LoadOptions& options);
  virtual ~LoadedModel();

  // Of weights, hyper-parameters and vocabulary.
  virtual format::ModelIdentity identity() const = 0;
  std::uint64_t fingerprint() const { return identity().fingerprint(); }
  virtual std::uint32_t arithmetic_version() const = 0;
  virtual std::string isa() const = 0;  // the instruction set in use, for statistics
  // Of the kernels that smll's own arithmetic uses, with either backend.
  // "cpu", or the number and name of the GPU that computes.
  virtual std::string device() const { return "cpu"; }
  virtual bool on_gpu() const { return false; }
  exact::Isa instruction_set() const { return instruction_set_; }
  virtual std::string set_up()
      const = 0;  // build and threads; "" where results do not depend on them
  // Lanes that a frame may have.
  int max_lanes() const;
  // One of its own, with the model's threads. `may_learn`: if the options say so.
  virtual std::unique_ptr<lm::Predictor> make_predictor(bool may_learn = true) const = 0;
  // Where all that is coded with the model meets. `may_learn`: as above. Lives as long as the
  // model.
  Scheduler& scheduler(bool may_learn = true) const;

  // The token that stands for "nothing before".
  Token start_token() const;
  // Of the exact backend, with what the dictionary's adapter changes; null for llama's.
  virtual std::shared_ptr<const weights::Weights> weights() const = 0;
  // What each lane begins with where the options name a dictionary; else null.
  const Opening* opening() const { return opening_.get(); }
  // What a short text begins with whose head has this index of openings(); null: nothing. With a
  // dictionary it is the dictionary's.
  const Opening* opening_of_short(std::size_t index) const;
  // Whether short texts may choose among openings(), and what the model says after each of them.
  bool has_openings() const;
  std::span<const Opening* const> openings_with_firsts() const;
  ShortHeadOdds short_odds() const;

  // Bytes, at most, of the predictors that decode lanes of so many bytes of text, without the
  // model.
  virtual std::uint64_t decoding_memory(std::span<const std::size_t> lanes) const = 0;
  // Bytes, at most, that what lanes begin with takes besides, once for all of them, and that making
  // it takes: the dictionary's opening, sample and adapter or, of short texts, a built-in opening.
  virtual std::uint64_t opening_memory(bool of_short) const = 0;

  // What frames that are decoded together may have, besides predictors: lanes, of which more make
  // predictors little faster, and bytes.
  struct Together {
    std::size_t lanes;
    std::uint64_t memory;
  };
  virtual Together together() const { return {32, std::uint64_t{512} << 20}; }

  // Bytes of the processor's memory that a lane's context of so many tokens takes of a predictor,
  // nearly.
  virtual std::uint64_t context_memory(std::size_t tokens) const = 0;

  const std::string& path() const { return path_; }
  const std::string& name() const { return name_; }  // general.name of the GGUF, or the file's name
  const ModelFacts& facts() const;                   // as the file says them
  // Why it cannot learn from what it codes, whatever the options say; "" when it can.
  virtual std::string no_learning() const = 0;
  const LoadOptions& options() const { return options_; }
  const text::Vocabulary& vocabulary() const;
  const text::Tokenizer& tokenizer() const;

 protected:
  LoadedModel(const std::string& path, const LoadOptions& options,
              std::shared_ptr<const ModelFile> file);
  // Predictors that a scheduler may have.
  virtual std::size_t most_predictors(bool may_learn) const = 0;
  // Lanes that one of them runs at once, unless one stream has more.
  virtual std::size_t lanes_at_once(bool may_learn) const;
  // Bytes that streams may take which run at once.
  virtual std::uint64_t memory_at_once() const;

  std::string path_, name_;
  LoadOptions options_;
  exact::Isa instruction_set_;
  std::shared_ptr<const ModelFile> file_;
  std::shared_ptr<ThreadPool> pool_;
  std::unique_ptr<const Opening> opening_;
  ShortHeadOdds short_odds_;

 private:
  mutable std::mutex mutex_;  // of what follows
  mutable std::unique_ptr<Scheduler> scheduler_, unlearned_;
  mutable std::vector<std::unique_ptr<const Opening>> openings_;  // by index in openings()
  mutable std::once_flag made_firsts_;
  mutable std::vector<const Opening*> openings_with_firsts_;
};

}  // namespace smll::codec
