#include "text/pre_tokenizer.h"

#include <algorithm>
#include <limits>

namespace smll::text {
namespace {

using Contractions = WordRules::Contractions;

constexpr char32_t kNothing = 0xffffffff;
constexpr std::size_t kAnyNumber = std::numeric_limits<std::size_t>::max();
constexpr std::string_view kLineEnds = "\r\n";

// The code points [begin, end) of a text; beyond them there is nothing.
class Window {
 public:
  Window(const CodePoints& text, std::size_t begin, std::size_t end)
      : text_(text), begin_(begin), end_(end) {}

  std::size_t begin() const { return begin_; }
  std::size_t end() const { return end_; }
  char32_t point(std::size_t i) const { return i < end_ ? text_.points[i] : kNothing; }
  bool is(std::size_t i, unsigned categories) const {
    return i < end_ && (text_.categories[i] & categories) != 0;
  }
  bool is_ascii(std::size_t i, std::string_view set) const {
    return point(i) < 0x80 && set.find(static_cast<char>(point(i))) != set.npos;
  }
  // Where the run from i on ends of those that are `inside`.
  template <typename Inside>
  std::size_t run(std::size_t i, const Inside& inside) const {
    while (i < end_ && inside(i)) ++i;
    return i;
  }
  std::size_t run_of(std::size_t i, unsigned categories) const {
    while (is(i, categories)) ++i;
    return i;
  }

 private:
  const CodePoints& text_;
  std::size_t begin_, end_;
};

bool between(char32_t point, char32_t first, char32_t last) {
  return point >= first && point <= last;
}
bool is_small(char32_t point) { return between(point, 'a', 'z'); }
bool is_capital(char32_t point) { return between(point, 'A', 'Z'); }

// Each of what follows: where the word that begins at i ends; i where none does.

std::size_t contraction(const Window& w, std::size_t i, bool any_case) {
  if (w.point(i) != '\'') return i;
  const auto letter = [&](std::size_t at) {
    const char32_t point = w.point(at);
    return any_case && is_capital(point) ? point + ('a' - 'A') : point;
  };
  const char32_t first = letter(i + 1), second = letter(i + 2);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return i + 2;
  const bool two = (first == 'r' && second == 'e') || (first == 'v' && second == 'e') ||
                   (first == 'l' && second == 'l');
  return two ? i + 3 : i;
}

// \s+(?!\S)|\s+: the last space is left to the word behind it.
std::size_t spaces(const Window& w, std::size_t i) {
  const std::size_t end = w.run_of(i, kSpace);
  return end - i > 1 && end < w.end() ? end - 1 : end;
}

// \s*[\r\n]+ before that.
std::size_t lines_or_spaces(const Window& w, std::size_t i) {
  for (std::size_t end = w.run_of(i, kSpace); end > i; --end) {
    if (w.is_ascii(end - 1, kLineEnds)) return end;
  }
  return spaces(w, i);
}

// ' ?' and a run of `categories`, with what of `tail` follows.
std::size_t spaced(const Window& w, std::size_t i, unsigned categories, std::string_view tail) {
  const std::size_t first = w.point(i) == ' ' ? i + 1 : i;
  const std::size_t end = w.run_of(first, categories);
  return end == first ? i : w.run(end, [&](std::size_t at) { return w.is_ascii(at, tail); });
}

std::size_t numbers(const Window& w, std::size_t i, std::size_t most) {
  std::size_t end = i;
  while (end - i < most && w.is(end, kNumber)) ++end;
  return end;
}

std::size_t gpt2(const Window& w, std::size_t i) {
  if (const std::size_t end = contraction(w, i, false); end > i) return end;
  for (const unsigned kind : {kLetter | 0u, kNumber | 0u, ~(kLetter | kNumber | kSpace)}) {
    if (const std::size_t end = spaced(w, i, kind, ""); end > i) return end;
  }
  return spaces(w, i);
}

// A run of letters with one sign or space before it.
std::size_t led_letters(const Window& w, std::size_t i, unsigned letters, unsigned no_lead) {
  if (w.is(i, letters)) return w.run_of(i, letters);
  if (w.is(i, no_lead) || w.is_ascii(i, kLineEnds) || !w.is(i + 1, letters)) return i;
  return w.run_of(i + 1, letters);
}

// [^\r\n\p{L}\p{N}]?U*D+|[^\r\n\p{L}\p{N}]?U+D*, where U are letters but a to z, and D but A to Z.
std::size_t led_letters_by_case(const Window& w, std::size_t i) {
  std::size_t first = i;
  if (!w.is(i, kLetter)) {
    if (w.is(i, kNumber) || w.is_ascii(i, kLineEnds) || !w.is(i + 1, kLetter)) return i;
    first = i + 1;
  }
  const auto large = [&](std::size_t at) { return w.is(at, kLetter) && !is_small(w.point(at)); };
  const auto small = [&](std::size_t at) { return w.is(at, kLetter) && !is_capital(w.point(at)); };
  const std::size_t upper = w.run(first, large);
  if (const std::size_t end = w.run(upper, small); end > upper) return end;
  // The last letter of U* that is one of D too.
  for (std::size_t end = upper; end > first; --end) {
    if (small(end - 1)) return end;
  }
  return upper;
}

std::size_t common(const Window& w, std::size_t i, const WordRules& rules) {
  if (rules.contractions == Contractions::kBefore) {
    if (const std::size_t end = contraction(w, i, true); end > i) return end;
  }
  const bool by_case = rules.words == Words::kByCase;
  const std::size_t letters =
      by_case ? led_letters_by_case(w, i) : led_letters(w, i, rules.letters, kLetter | kNumber);
  if (letters > i) {
    return rules.contractions == Contractions::kBehind ? contraction(w, letters, true) : letters;
  }
  if (const std::size_t end = numbers(w, i, rules.digits); end > i) return end;
  const unsigned signs = ~(kNumber | kSpace | rules.letters);
  if (const std::size_t end = spaced(w, i, signs, rules.tail); end > i) return end;
  return lines_or_spaces(w, i);
}

std::size_t deep_seek(const Window& w, std::size_t i) {
  const auto ascii_letter = [&](std::size_t at) {
    return is_small(w.point(at)) || is_capital(w.point(at));
  };
  if (w.point(i) < 0x80 && w.is(i, kPunctuation | kSymbol)) {
    if (const std::size_t end = w.run(i + 1, ascii_letter); end > i + 1) return end;
  }
  const unsigned no_lead = kLetter | kPunctuation | kSymbol;
  if (const std::size_t end = led_letters(w, i, kLetter | kMark, no_lead); end > i) return end;
  if (const std::size_t end = spaced(w, i, kPunctuation | kSymbol, kLineEnds); end > i) return end;
  return lines_or_spaces(w, i);
}

template <typename Inside>
std::size_t spaced_by_any(const Window& w, std::size_t i, const Inside& inside) {
  const std::size_t first = w.is(i, kSpace) ? i + 1 : i;
  const std::size_t end = w.run(first, inside);
  return end == first ? i : end;
}

std::size_t ideographs(const Window& w, std::size_t i, bool kana) {
  return w.run(i, [&](std::size_t at) {
    const char32_t point = w.point(at);
    if (w.is(at, kSpace)) return false;
    if (kana) return between(point, 0x4e00, 0x9fa5) || between(point, 0x3040, 0x30ff);
    return between(point, 0x800, 0x9fa5) || between(point, 0xac00, 0xd7ff);
  });
}

bool is_sign(char32_t point) {
  return between(point, '!', '/') || between(point, ':', '~') || between(point, 0xff01, 0xff0f) ||
         between(point, 0xff1a, 0xff5e) || between(point, 0x2018, 0x201f) ||
         between(point, 0x3001, 0x3002);
}

bool is_parting(char32_t point) {
  constexpr std::u32string_view kParting = U"(|.,!?)\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c";
  return kParting.find(point) != kParting.npos;
}

std::size_t marks(const Window& w, std::size_t i, std::string_view symbols) {
  return w.run(i,
               [&](std::size_t at) { return w.is(at, kPunctuation) || w.is_ascii(at, symbols); });
}

std::size_t unparted(const Window& w, std::size_t i) {
  const std::size_t first = w.point(i) == ' ' ? i + 1 : i;
  const std::size_t end =
      w.run(first, [&](std::size_t at) { return !w.is(at, kSpace) && !is_parting(w.point(at)); });
  return end == first ? i : end;
}

std::size_t three_digits(const Window& w, std::size_t i) {
  for (std::size_t at = i; at < i + 3; ++at) {
    if (!between(w.point(at), '0', '9')) return i;
  }
  return i + 3;
}

std::size_t word_end(const Window& w, std::size_t i, const WordRules& rules) {
  switch (rules.words) {
    case Words::kGpt2:
      return gpt2(w, i);
    case Words::kCommon:
    case Words::kByCase:
      return common(w, i, rules);
    case Words::kDeepSeek:
      return deep_seek(w, i);
    case Words::kNumbers:
      return numbers(w, i, rules.digits);
    case Words::kThreeDigits:
      return three_digits(w, i);
    case Words::kLine:
      return w.is_ascii(i, kLineEnds) ? i + 1 : i;
    case Words::kLines:
      return w.run(i,
                   [&](std::size_t at) { return (w.point(at) == '\n') == (w.point(i) == '\n'); });
    case Words::kMarks:
      return marks(w, i, "$+<=>^~|");
    case Words::kMarksTicked:
      return marks(w, i, "$+<=>^~|`");
    case Words::kSpacedLetter:
      return spaced_by_any(w, i, [&](std::size_t at) { return w.is(at, kLetter); });
    case Words::kSpacedListed:
      return spaced_by_any(w, i, [&](std::size_t at) { return is_listed_letter(w.point(at)); });
    case Words::kSpacedMarks:
      return spaced_by_any(w, i, [&](std::size_t at) { return w.is(at, kPunctuation); });
    case Words::kSpacedSigns:
      return spaced_by_any(w, i, [&](std::size_t at) { return is_sign(w.point(at)); });
    case Words::kEndSpace: {
      if (i > w.begin() && w.is(i - 1, kSpace)) return i;  // its run does not reach the end
      const std::size_t end = w.run_of(i, kSpace);
      return end == w.end() ? end : i;
    }
    case Words::kIdeographs:
      return ideographs(w, i, false);
    case Words::kIdeographsKana:
      return ideographs(w, i, true);
    case Words::kUnparted:
      return unparted(w, i);
  }
  return i;
}

// Appends where the words of the window end; what is between words is one, too.
void cut(const Window& w, const WordRules& rules, std::vector<std::size_t>& ends) {
  std::size_t between_words = w.begin();
  for (std::size_t i = w.begin(); i < w.end();) {
    const std::size_t end = word_end(w, i, rules);
    if (end == i) {
      ++i;
      continue;
    }
    if (between_words < i) ends.push_back(i);
    ends.push_back(end);
    i = between_words = end;
  }
  if (between_words < w.end()) ends.push_back(w.end());
}

constexpr WordRules pass(Words words, std::size_t digits = 1) {
  return {.words = words, .digits = digits};
}

std::vector<PreTokenizer> all_pre_tokenizers() {
  const WordRules gpt2 = pass(Words::kGpt2);
  const WordRules digit = pass(Words::kNumbers);
  const WordRules common = pass(Words::kCommon);
  const WordRules common3 = pass(Words::kCommon, 3);
  WordRules with_marks = common, signs_alone = common, plain = common, by_case = common;
  with_marks.letters = kLetter | kMark;
  signs_alone.tail = "";
  plain.contractions = Contractions::kNone;
  by_case.words = Words::kByCase;
  by_case.contractions = Contractions::kNone;
  by_case.tail = "\r\n/";
  WordRules by_case3 = by_case;
  by_case3.digits = 3;
  by_case3.contractions = Contractions::kBehind;
  const std::vector<WordRules> deep_seek3 = {pass(Words::kNumbers, 3), pass(Words::kIdeographsKana),
                                             pass(Words::kDeepSeek)};
  return {
      {.names = {"", "default"},
       .passes = {pass(Words::kMarks), gpt2, pass(Words::kNumbers, kAnyNumber),
                  pass(Words::kThreeDigits)}},
      {.names = {"llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1", "pixtral", "midm-2.0",
                 "lfm2", "jina-v5-nano"},
       .passes = {common3},
       .ignore_merges = true},
      {.names = {"dbrx", "smaug-bpe"}, .passes = {common3}},
      {.names = {"glm4", "glm5"}, .passes = {common3}, .ignore_merges = true, .start_token = false},
      {.names = {"chatglm-bpe"}, .passes = {common3}, .start_token = false},
      {.names = {"minicpm5"},
       .passes = {pass(Words::kNumbers, 3), pass(Words::kCommon, kAnyNumber)},
       .ignore_merges = true},
      {.names = {"qwen2", "deepseek-r1-qwen", "kormo", "f2llmv2", "stablelm2", "megrez", "hunyuan",
                 "solar-open", "grok-2", "bailingmoe", "bailingmoe2", "llada-moe"},
       .passes = {common}},
      {.names = {"laguna"}, .passes = {pass(Words::kLines), common}},
      {.names = {"qwen35"}, .passes = {with_marks}},
      {.names = {"seed-coder"}, .passes = {signs_alone}},
      {.names = {"ufakzeka"}, .passes = {plain}},
      {.names = {"gpt-2", "phi-2", "jina-es", "jina-de", "gigachat", "jina-v2-es", "jina-v2-de",
                 "a.x-4.0", "mellum", "modern-bert", "jina-v1-en", "jina-v2-code", "roberta-bpe",
                 "mpt", "olmo", "jais", "trillion", "granite-docling", "exaone4"},
       .passes = {gpt2}},
      {.names = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b",
                 "mellum2"},
       .passes = {digit, gpt2}},
      {.names = {"falcon"}, .passes = {pass(Words::kMarksTicked), gpt2, pass(Words::kThreeDigits)}},
      {.names = {"deepseek-llm"},
       .passes = {pass(Words::kLine), pass(Words::kSpacedListed), pass(Words::kSpacedSigns),
                  pass(Words::kEndSpace), pass(Words::kIdeographs),
                  pass(Words::kNumbers, kAnyNumber)}},
      {.names = {"deepseek-coder"},
       .passes = {pass(Words::kLine), pass(Words::kSpacedLetter), pass(Words::kSpacedMarks),
                  pass(Words::kIdeographs), digit}},
      {.names = {"deepseek-v3", "hunyuan-dense", "joyai-llm", "hy_v4"}, .passes = deep_seek3},
      {.names = {"tekken"}, .passes = {by_case}, .ignore_merges = true},
      {.names = {"gpt-4o", "llama4", "kanana2", "talkie", "minimax-m2"}, .passes = {by_case3}},
      {.names = {"poro-chat", "bloom", "gpt3-finnish"}, .passes = {pass(Words::kUnparted)}},
      {.names = {"viking"}, .passes = {pass(Words::kUnparted), digit}},
      {.names = {"gemma4", "granite-embed-multi-311m"},
       .passes = {pass(Words::kLines)},
       .byte_level = false,
       .whole_line_ends = true},
      {.names = {"sarvam-moe"}, .passes = {pass(Words::kLines)}, .byte_level = false},
  };
}

}  // namespace

const PreTokenizer* PreTokenizer::find(std::string_view name) {
  static const std::vector<PreTokenizer> all = all_pre_tokenizers();
  for (const PreTokenizer& each : all) {
    if (std::ranges::find(each.names, name) != each.names.end()) return &each;
  }
  return nullptr;
}

std::vector<std::string_view> PreTokenizer::split(std::string_view text) const {
  const CodePoints points = code_points(text);
  std::vector<std::size_t> ends = {points.size()}, cut_ends;
  for (const WordRules& rules : passes) {
    std::size_t begin = 0;
    cut_ends.clear();
    for (const std::size_t end : ends) {
      cut(Window(points, begin, end), rules, cut_ends);
      begin = end;
    }
    ends.swap(cut_ends);
  }
  std::vector<std::string_view> words;
  words.reserve(ends.size());
  std::size_t begin = 0;
  for (const std::size_t end : ends) {
    words.push_back(
        text.substr(points.offsets[begin], points.offsets[end] - points.offsets[begin]));
    begin = end;
  }
  return words;
}

}  // namespace smll::text
