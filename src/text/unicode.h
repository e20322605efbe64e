// Text as code points with the categories by which tokenizers cut it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace smll::text {

// One bit each, so that a set of categories is a number. The Unicode version is that of
// llama.cpp's table, since models are given what its tokenizers make.
enum Category : unsigned {
  kLetter = 1,
  kNumber = 2,
  kMark = 4,
  kPunctuation = 8,
  kSymbol = 16,
  kSpace = 32,
  kOther = 64,  // control characters, private use, unassigned
};

struct CodePoints {
  std::vector<char32_t> points;
  std::vector<std::uint8_t> categories;  // a Category each
  std::vector<std::uint32_t> offsets;    // of the first byte of each, and the text's length

  std::size_t size() const { return points.size(); }
};

// `text`: valid UTF-8.
CodePoints code_points(std::string_view text);

// Whether the pre-tokenizer "deepseek-llm" lists it among its letters.
bool is_listed_letter(char32_t point);

}  // namespace smll::text
