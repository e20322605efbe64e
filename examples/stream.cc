// Compresses standard input to standard output line by line, each readable at the other end as soon
// as it was written, or restores such a stream:  producer | stream | ... | stream -d
#include <smll/smll.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <string>

class Input : public smll::Source {
 public:
  // At least one byte; not more than has come, so that it waits no longer than it must.
  std::size_t read(std::span<std::uint8_t> out) override {
    std::cin.peek();
    const std::streamsize here = std::max<std::streamsize>(std::cin.rdbuf()->in_avail(), 1);
    const auto wanted = std::min(here, static_cast<std::streamsize>(out.size()));
    std::cin.read(reinterpret_cast<char*>(out.data()), wanted);
    return static_cast<std::size_t>(std::cin.gcount());
  }
};

class Output : public smll::Sink {
 public:
  void write(smll::ByteView data) override {
    std::cout.write(reinterpret_cast<const char*>(data.data()),
                    static_cast<std::streamsize>(data.size()));
    if (!std::cout) throw smll::Error(smll::ErrorKind::kIo, "cannot write the output");
  }
  void flush() override { std::cout.flush(); }
};

int main(int argc, char**) try {
  std::ios::sync_with_stdio(false);  // gives std::cin a buffer
  const smll::Model model;
  Output output;
  if (argc == 1) {
    smll::Writer writer(model, {}, output);
    std::string line;
    while (std::getline(std::cin, line)) {
      line += '\n';
      writer.write({reinterpret_cast<const std::uint8_t*>(line.data()), line.size()});
      writer.flush();  // ends a frame: dear for short lines, see examples/many.cc for those
    }
    writer.finish();
    std::cerr << "compressed " << writer.stats().raw_bytes << " bytes to "
              << writer.stats().archive_bytes << '\n';
  } else {
    Input input;
    smll::ReadOptions options;
    options.max_bytes = std::uint64_t{1} << 30;  // what comes from others may expand to anything
    smll::Reader reader(model, options, input);
    std::array<std::uint8_t, 1 << 16> buffer;
    while (const std::size_t size = reader.read(buffer)) {
      output.write(std::span(buffer).first(size));
      output.flush();
    }
    std::cerr << "restored " << reader.stats().raw_bytes << " bytes\n";
  }
  std::cout.flush();
} catch (const smll::Error& error) {
  std::cerr << "stream: " << error.what() << '\n';
  return 1;
}
