#include "codec/openings.h"

#include <array>

#include "coder/cost.h"

namespace smll::codec {
namespace {

// Version 1, never to be changed: lines that say what follows, or that are of its kind. Chances are
// how often each was the best for short texts of many kinds, smoothed.
constexpr auto kOpenings = std::to_array<OpeningText>(
    {{"", 2831},
     {"Here is a line of the file:\n", 4005},
     {"Here is the text message:\nok, on my way!\n", 3004},
     {"Fix the build on old compilers\nAdd a test for long file names\nUpdate the documentation\n",
      3004},
     {"I get the following error message:\n\n```\n", 3404},
     {"10.0.0.1 - \"GET /a HTTP/1.1\" 200 {\"ok\":true}\n", 3805},
     {"Here is the CSV file:\n", 1802},
     {"a=1 b=2 status=ok\n", 1802},
     {"Here is the code:\n\n```\n", 2403},
     {"Run the following command in the terminal:\n\n```bash\n", 2603},
     {"SELECT id, name FROM items WHERE price > 10 ORDER BY name;\n", 2203},
     {"Here is the HTML code:\n\n```html\n", 2203},
     {"Meeting on Monday at 10:00, room 2.\nDear Anna, please find the report attached.\nBest "
      "wishes, Paul\nInvoice 17: 20 hours\n",
      5407},
     {"For sale: old wooden chair, good condition, 20 euros, pick up only.\n", 3404},
     {"Minister resigns after report on school funding\nFloods close roads across the south\n",
      3004},
     {"Peel the potatoes and boil them in salted water.\n", 2203},
     {"Here is the address:\n", 1202},
     {"Here is the question:\n", 3404},
     {"Here is the text:\n", 2028},
     {"We study short paths in large networks.\nThe algorithm is optimal.\nLet x be a vertex.\n",
      1402},
     {"It was in the spring of that year that I first saw him.\n", 2603},
     {"A famous quotation:\n\n\"", 2403},
     {"Wir sind morgen wieder da. Haben Sie noch Fragen?\n", 2003},
     {"Nous serons là demain. Avez-vous des questions ?\n", 1802},
     {"Here is the sentence in Spanish:\n", 1602}});

}  // namespace

std::span<const OpeningText> openings() { return kOpenings; }

std::uint64_t opening_cost(std::size_t index) {
  coder::CostCounter counter;
  code_opening(counter, index);
  return counter.cost();
}

}  // namespace smll::codec
