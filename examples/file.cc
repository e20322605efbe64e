// Compresses a file and restores it, with memory for a part of it only:  file TEXT ARCHIVE RESTORED
#include <smll/smll.h>

#include <array>
#include <fstream>
#include <iostream>

// Where a reader takes its bytes from. One that says it is seekable can be read in ranges.
class FileSource : public smll::Source {
 public:
  explicit FileSource(const char* path) : file_(path, std::ios::binary) {
    if (!file_) throw smll::Error(smll::ErrorKind::kIo, std::string("cannot read ") + path);
    file_.seekg(0, std::ios::end);
    size_ = static_cast<std::uint64_t>(file_.tellg());
    file_.seekg(0);
  }
  std::size_t read(std::span<std::uint8_t> out) override {
    file_.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size()));
    return static_cast<std::size_t>(file_.gcount());
  }
  bool seekable() const override { return true; }
  void seek(std::uint64_t offset) override {
    file_.clear();
    file_.seekg(static_cast<std::streamoff>(offset));
  }
  std::uint64_t size() const override { return size_; }

 private:
  std::ifstream file_;
  std::uint64_t size_;
};

class FileSink : public smll::Sink {
 public:
  explicit FileSink(const char* path) : path_(path), file_(path, std::ios::binary) {}
  void write(smll::ByteView data) override {
    file_.write(reinterpret_cast<const char*>(data.data()),
                static_cast<std::streamsize>(data.size()));
    if (!file_) throw smll::Error(smll::ErrorKind::kIo, "cannot write " + path_);
  }

 private:
  std::string path_;
  std::ofstream file_;
};

int main(int argc, char** argv) try {
  if (argc != 4) {
    std::cerr << "usage: file TEXT ARCHIVE RESTORED\n";
    return 2;
  }
  const smll::Model model;  // loaded when some data needs it; writer and reader share it
  std::array<std::uint8_t, 1 << 16> buffer;

  {
    FileSource text(argv[1]);
    FileSink archive(argv[2]);
    smll::Writer writer(model, {}, archive);
    while (const std::size_t size = text.read(buffer)) {
      writer.write(std::span(buffer).first(size));
    }
    writer.finish();
    std::cout << writer.stats().raw_bytes << " bytes became " << writer.stats().archive_bytes
              << '\n';
  }

  FileSource archive(argv[2]);
  const smll::ArchiveInfo info = smll::list(archive);
  std::cout << "frames: " << info.frames.size() << ", the first one coded by "
            << info.frames.at(0).method << '\n';
  archive.seek(0);
  FileSink restored(argv[3]);
  smll::Reader reader(model, {}, archive);
  while (const std::size_t size = reader.read(buffer))
    restored.write(std::span(buffer).first(size));
  std::cout << "restored: " << reader.stats().raw_bytes << " bytes\n";
} catch (const smll::Error& error) {
  std::cerr << "file: " << error.what() << '\n';
  return 1;
}
