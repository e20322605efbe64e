// Compresses many short texts at once, the lines of standard input, and restores them; one of them
// is damaged in between.
#include <smll/smll.h>

#include <iostream>
#include <string>
#include <vector>

int main() try {
  std::vector<std::string> texts;
  for (std::string line; std::getline(std::cin, line);) texts.push_back(line);

  const smll::Compressor smll;  // with the default model; may be used from many threads
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  std::vector<smll::Bytes> archives;
  std::size_t raw = 0, small = 0;
  for (smll::Result& result : smll.compress_many(views)) {
    if (result.error) throw *result.error;
    raw += texts[archives.size()].size();
    small += result.bytes.size();
    archives.push_back(std::move(result.bytes));
  }
  std::cout << archives.size() << " texts: " << raw << " bytes became " << small << '\n';

  archives.push_back({1, 2, 3});
  smll::Limits limits;
  limits.max_bytes = 1 << 16;  // of each
  std::size_t same = 0;
  const std::vector<smll::ByteView> inputs(archives.begin(), archives.end());
  const std::vector<smll::Result> restored = smll.decompress_many(inputs, limits);
  for (std::size_t i = 0; i < restored.size(); ++i) {
    if (restored[i].error) {
      std::cout << "text " << i << ": " << restored[i].error->what() << '\n';
    } else if (std::string(restored[i].bytes.begin(), restored[i].bytes.end()) == texts.at(i)) {
      ++same;
    }
  }
  std::cout << same << " texts came back\n";
} catch (const smll::Error& error) {
  std::cerr << "many: " << error.what() << '\n';
  return 1;
}
