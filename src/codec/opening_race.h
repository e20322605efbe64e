// Which opening a text shall have, found with few of the model's rows.
//
// What each opening makes of the text's first token is known before the model runs: that is a
// constant of the opening. The best of them run a few tokens further, the best of those run again,
// and in the end the cheapest wins. "None" runs along until it is far behind, so that hardly an
// opening costs what it is not worth. A long text chooses by its beginning, along all of which
// "none" runs. It is a race without a model: it says how far which openings are to be fed, and is
// told what the tokens cost. Costs are those of coder::CostCounter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace smll::codec {

class OpeningRace {
 public:
  // Openings in a heat, at most, "none" included.
  static constexpr std::size_t kMostRunners = 13;

  // `choice`: what choosing each opening costs; `first`: what the text's first token costs behind
  // it, in the same order, that of openings(). The text has `tokens` >= 1.
  OpeningRace(std::span<const std::uint64_t> choice, std::span<const std::uint64_t> first,
              std::size_t tokens);

  // True when the winner is known; otherwise a heat is to be run.
  bool over() const { return runners_.size() == 1 || known_ == end_; }
  // Openings in the heat, the most promising one first. Not empty.
  std::span<const std::size_t> runners() const { return runners_; }
  // Each runner needs the costs of the text's tokens [known(), goal()). Those before are known.
  std::size_t known() const { return known_; }
  std::size_t goal() const { return goal_; }
  // `costs`: of the tokens [known(), goal()) together, behind runners()[i].
  void finish_heat(std::span<const std::uint64_t> costs);

  // Once it is over: index of the opening.
  std::size_t winner() const { return runners_.front(); }

 private:
  void start_heat();
  bool is_running(std::size_t opening) const;

  std::vector<std::uint64_t> totals_;  // by opening; of the choice and the tokens known
  std::vector<std::size_t> runners_;
  std::size_t heat_ = 0;
  std::size_t known_ = 1, goal_ = 1;
  bool long_;
  std::size_t end_;  // the choice is made by the tokens before it
};

}  // namespace smll::codec
