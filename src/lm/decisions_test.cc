#include "lm/decisions.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace smll::lm {
namespace {

text::Vocabulary vocabulary_of(const std::vector<std::string>& tokens) {
  std::vector<text::VocabularyEntry> entries;
  for (const std::string& bytes : tokens) entries.push_back({bytes, true});
  return text::Vocabulary(entries);
}

// Few letters, so that many tokens begin like others.
std::vector<std::string> random_tokens(std::size_t count, unsigned letters, std::size_t longest) {
  std::mt19937 random(static_cast<unsigned>(count));
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < count; ++i) {
    std::string token(1 + random() % longest, 0);
    for (char& c : token) c = static_cast<char>(256 / letters * (random() % letters));
    tokens.push_back(token);
  }
  return tokens;
}

std::vector<text::Vocabulary> vocabularies() {
  std::vector<std::string> bytes, nested;
  for (int i = 0; i < 256; ++i) bytes.emplace_back(1, static_cast<char>(i));
  for (std::size_t i = 1; i < 50; ++i) nested.emplace_back(i, 'a');
  std::vector<text::Vocabulary> all;
  all.push_back(vocabulary_of({"a"}));
  all.push_back(vocabulary_of({"a", "ab"}));
  all.push_back(vocabulary_of({"a", "b"}));
  all.push_back(vocabulary_of(bytes));
  all.push_back(vocabulary_of(nested));
  all.push_back(vocabulary_of(random_tokens(500, 3, 7)));
  all.push_back(vocabulary_of(random_tokens(4000, 256, 4)));
  return all;
}

// An opinion that compares what a walk asks with the table.
struct Compared {
  const std::vector<Decision>& table;
  std::vector<bool> asked;

  std::uint32_t compare(std::uint32_t lo, std::uint32_t middle, std::uint32_t hi, bool first) {
    const Decision& decision = table.at(middle);
    EXPECT_EQ(decision.lo, lo) << "middle " << middle;
    EXPECT_EQ(decision.hi, hi) << "middle " << middle;
    EXPECT_EQ(decision.first_part, first) << "middle " << middle;
    asked[middle] = true;
    return 1;
  }
  std::uint32_t first_part(std::uint32_t lo, std::uint32_t middle, std::uint32_t hi) {
    return compare(lo, middle, hi, true);
  }
  std::uint32_t last_part(std::uint32_t lo, std::uint32_t middle, std::uint32_t hi) {
    return compare(lo, middle, hi, false);
  }
};

TEST(Decisions, AreThoseThatWalksAskAbout) {
  for (const text::Vocabulary& vocabulary : vocabularies()) {
    const std::vector<Decision> table = decisions_of(vocabulary);
    ASSERT_EQ(table.size(), vocabulary.rows());
    Compared compared{table, std::vector<bool>(table.size())};
    for (std::uint32_t row = 0; row < vocabulary.rows(); ++row) {
      RecordedPath path;
      path.record(vocabulary, compared, row);
    }
    for (std::size_t middle = 1; middle < table.size(); ++middle) {
      EXPECT_TRUE(compared.asked[middle]) << "middle " << middle << " of " << table.size();
    }
  }
}

// Who follows the decisions knows as much of the token as a walk does.
TEST(Decisions, LeadToEveryRow) {
  for (const text::Vocabulary& vocabulary : vocabularies()) {
    const std::vector<Decision> table = decisions_of(vocabulary);
    for (std::uint32_t row = 0; row < vocabulary.rows(); ++row) {
      std::uint32_t lo = 0, middle = root_of(table);
      const std::string_view bytes = vocabulary.bytes(row);
      while (middle != 0) {
        const Decision& decision = table.at(middle);
        ASSERT_EQ(decision.lo, lo);
        ASSERT_GE(row, lo);
        ASSERT_LT(row, decision.hi);
        for (const std::uint32_t other : {decision.lo, decision.hi - 1}) {
          ASSERT_TRUE(vocabulary.bytes(other).starts_with(bytes.substr(0, decision.depth)));
        }
        if (decision.first_part) {
          ASSERT_EQ(vocabulary.bytes(lo).size(), decision.depth);
        } else {
          ASSERT_NE(vocabulary.bytes(middle - 1).at(decision.depth),
                    vocabulary.bytes(middle).at(decision.depth));
        }
        if (row < middle) {
          middle = decision.next_first;
        } else {
          lo = middle;
          middle = decision.next_last;
        }
      }
      ASSERT_EQ(lo, row);
    }
  }
}

// One that knows the probabilities of decisions only is walked like the one that they are of.
TEST(Decisions, SayWhatFrequenciesSay) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0.0f, 4.0f);
  for (const text::Vocabulary& vocabulary : vocabularies()) {
    const std::vector<Decision> table = decisions_of(vocabulary);
    std::vector<float> logits(vocabulary.rows());
    for (float& logit : logits) logit = normal(random);
    Distribution frequencies;
    frequencies.assign(logits, exact::Isa::kScalar);
    std::vector<std::uint16_t> probabilities(table.size());
    for (std::uint32_t middle = 1; middle < table.size(); ++middle) {
      const Decision& d = table[middle];
      probabilities[middle] =
          static_cast<std::uint16_t>(d.first_part ? frequencies.first_part(d.lo, middle, d.hi)
                                                  : frequencies.last_part(d.lo, middle, d.hi));
    }
    Distribution decisions;
    decisions.assign_decisions(probabilities);
    const Distribution &all = frequencies, &some = decisions;
    for (std::uint32_t row = 0; row < vocabulary.rows(); ++row) {
      RecordedPath expected, walked, filled;
      expected.record(vocabulary, all, row);
      walked.record(vocabulary, some, row);
      ASSERT_TRUE(std::ranges::equal(expected.probabilities(), walked.probabilities()));
      std::vector<std::uint32_t> middles;
      outline(vocabulary, row, filled, middles);
      std::vector<std::uint16_t> asked;
      for (const std::uint32_t middle : middles) asked.push_back(probabilities[middle]);
      filled.fill(asked);
      ASSERT_TRUE(std::ranges::equal(expected.probabilities(), filled.probabilities()));
    }
    // Frequencies again, as where one is used again.
    if (vocabulary.rows() < 2) continue;
    decisions.assign(logits, exact::Isa::kScalar);
    EXPECT_EQ(decisions.first_part(0, 1, 2), frequencies.first_part(0, 1, 2));
  }
}

}  // namespace
}  // namespace smll::lm
