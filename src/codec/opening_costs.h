// What records cost the language model after an opening.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "codec/loaded_model.h"
#include "lm/kept_context.h"
#include "lm/predictor.h"
#include "text/tokenizer.h"

namespace smll::codec {

// The first tokens of a record.
struct TokenizedRecord {
  std::vector<text::Unit> units;
  std::size_t tokens = 0;  // units that are tokens of the model
};

class OpeningCosts {
 public:
  // Called with the tokens that were fed since the last call; may throw to cancel. May be empty.
  using Work = std::function<void(std::size_t tokens)>;

  // The model must not learn, and must outlive this.
  OpeningCosts(const LoadedModel& model, Work work);

  TokenizedRecord tokenize(std::string_view text, std::size_t most_units) const;

  // Bytes that a unit spells.
  std::size_t size_of(const text::Unit& unit) const;

  // Tokens that measuring so many records after an opening takes.
  static std::size_t work_of(std::size_t opening_tokens, std::span<const TokenizedRecord> records);

  // Tokens that were fed so far.
  std::uint64_t fed() const { return fed_; }

  // Bits of each unit of each record behind the opening; `opening` may be empty.
  std::vector<std::vector<double>> bits(std::string_view opening,
                                        std::span<const TokenizedRecord> records);
  // The sum of them.
  double total(std::string_view opening, std::span<const TokenizedRecord> records);

 private:
  struct Feed;
  void begin_with(std::string_view opening);
  void measure(std::span<Feed> feeds);
  void count(std::size_t tokens);

  const LoadedModel& model_;
  Work work_;
  std::unique_ptr<lm::Predictor> predictor_;
  std::shared_ptr<const lm::KeptContext> context_;  // all of the opening but its last token
  Token last_ = 0;
  std::uint64_t fed_ = 0;
};

}  // namespace smll::codec
