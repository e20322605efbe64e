#include "smll/bundle.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "api/internals.h"
#include "base/sha256.h"
#include "base/whole_file.h"
#include "codec/loaded_model.h"
#include "container/archive_parser.h"
#include "hub/cache.h"
#include "hub/registry.h"
#include "smll/error.h"
#include "smll/printable.h"
#include "text/utf8.h"

namespace smll {
namespace {

namespace fs = std::filesystem;

const fs::path kArchives = "data/archives", kCache = "data/cache";

// A file that is read from front to back.
class FileInput : public Source {
 public:
  explicit FileInput(const std::string& path)
      : path_(path), file_(std::fopen(path.c_str(), "rbe")) {
    if (!file_) fail();
  }
  ~FileInput() override {
    if (file_) std::fclose(file_);
  }
  FileInput(const FileInput&) = delete;
  FileInput& operator=(const FileInput&) = delete;

  std::size_t read(std::span<std::uint8_t> out) override {
    const std::size_t got = std::fread(out.data(), 1, out.size(), file_);
    if (got == 0 && std::ferror(file_)) fail();
    return got;
  }

 private:
  [[noreturn]] void fail() const {
    throw Error(ErrorKind::kIo, "cannot read " + path_ + ": " + std::strerror(errno));
  }

  std::string path_;
  std::FILE* file_;
};

// A directory that bears its name only once it is complete; until then it is one beside it, which
// the destructor removes.
class NewDirectory {
 public:
  explicit NewDirectory(const std::string& path) : path_(fs::absolute(path).lexically_normal()) {
    if (!path_.has_filename()) path_ = path_.parent_path();
    std::error_code error;
    if (fs::exists(fs::symlink_status(path_, error)) &&
        !(fs::is_directory(path_, error) && fs::is_empty(path_, error))) {
      throw Error(ErrorKind::kIo, path + " already exists and is no empty directory");
    }
    // A long name leaves no room for the addition.
    const std::string name = path_.filename().string().substr(0, 200);
    std::string pattern = (path_.parent_path() / ("." + name + ".XXXXXX")).string();
    if (::mkdtemp(pattern.data()) == nullptr) fail("make");
    at_ = pattern;
  }
  ~NewDirectory() {
    std::error_code error;
    if (!at_.empty()) fs::remove_all(at_, error);
  }
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;

  const fs::path& at() const { return at_; }

  // Others may read what is in it, and only its owner may write: models of a cache that others
  // could have changed are not used.
  void commit() {
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(at_)) {
      ::chmod(entry.path().c_str(), entry.is_directory() ? 0755 : 0644);
    }
    ::chmod(at_.c_str(), 0755);
    // Without this a crash soon after could leave the name on half of it.
    const int fd = ::open(at_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
      ::syncfs(fd);
      ::close(fd);
    }
    if (::rename(at_.c_str(), path_.c_str()) != 0) fail("name");
    at_.clear();
  }

 private:
  [[noreturn]] void fail(const char* doing) const {
    throw Error(ErrorKind::kIo, std::string("cannot ") + doing + " " + path_.string() + ": " +
                                    std::strerror(errno));
  }

  fs::path path_, at_;
};

// As a bag's manifests write paths.
std::string encoded(const std::string& path) {
  std::string text;
  for (const char c : path) {
    if (c == '%') {
      text += "%25";
    } else if (c == '\n') {
      text += "%0A";
    } else if (c == '\r') {
      text += "%0D";
    } else {
      text += c;
    }
  }
  return text;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm date;
  ::gmtime_r(&now, &date);
  char text[16];
  std::strftime(text, sizeof(text), "%Y-%m-%d", &date);
  return text;
}

// Names of files in one directory, none of which are the same on file systems that take large and
// small letters for the same.
class Names {
 public:
  // `name`, or with a number in it where that is taken.
  std::string take(const std::string& name) {
    const fs::path path(name);
    for (int i = 1;; ++i) {
      const std::string tried =
          i == 1 ? name
                 : path.stem().string() + "-" + std::to_string(i) + path.extension().string();
      std::string lower = tried;
      std::ranges::transform(lower, lower.begin(),
                             [](char c) { return c >= 'A' && c <= 'Z' ? char(c + 32) : c; });
      if (taken_.insert(lower).second) return tried;
    }
  }

 private:
  std::set<std::string> taken_;
};

// Puts everything into a directory of its own.
class Bundler {
 public:
  Bundler(const Model& model, const fs::path& at, const std::function<void()>& progress)
      : model_(model), at_(at), progress_(progress) {
    fs::create_directories(at_ / kArchives);
  }

  void add(const std::string& archive) {
    const std::string name = fs::path(archive).filename().string();
    if (text::utf8_prefix(name) != name.size()) {
      throw Error(ErrorKind::kUsage,
                  archive + ": its name is no UTF-8, which names in a bundle must be: rename it");
    }
    const fs::path kept = kArchives / archive_names_.take(name);
    copy(archive, kept);
    ++summary_.archives;
    list_ += printable(kept.filename().string()) + "\n";
    if (kept.filename() != name) {
      list_ += "    was:        " + printable(archive) + "\n";
    }
    try {
      add_needs(kept);
    } catch (const Error& error) {
      throw Error(error.kind(), archive + ": " + error.what());
    }
  }

  BundleSummary finish() {
    if (!models_.empty()) {
      std::vector<hub::SeenModel> lines;
      for (const auto& [path, line] : models_) lines.push_back(line);
      write(kCache / hub::kIndexFile, hub::index_of(lines));
    }
    write("bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n");
    write("bag-info.txt",
          std::string("Bag-Software-Agent: smll ") + version() + "\nBagging-Date: " + today() +
              "\nExternal-Description: Archives of smll and what opens them\n"
              "Payload-Oxum: " +
              std::to_string(payload_bytes_) + "." + std::to_string(payload_.size()) + "\n");
    write("README.txt", readme());
    write("manifest-sha256.txt", manifest(payload_));
    write("tagmanifest-sha256.txt", manifest(std::exchange(tags_, {})));
    return summary_;
  }

 private:
  using Hashes = std::map<std::string, std::string>;  // by path in the bag

  static std::string manifest(const Hashes& hashes) {
    std::string text;
    for (const auto& [path, hash] : hashes) text += hash + "  " + encoded(path) + "\n";
    return text;
  }

  void note(const fs::path& path, std::uint64_t size, std::string hash) {
    const bool is_payload = *path.begin() == "data";
    (is_payload ? payload_ : tags_)[path.string()] = std::move(hash);
    if (is_payload) payload_bytes_ += size;
  }

  void copy(const std::string& from, const fs::path& to) {
    const CopiedFile copied = copy_file(from, (at_ / to).string(), progress_);
    summary_.bytes += copied.size;
    note(to, copied.size, copied.sha256);
  }

  void write(const fs::path& path, const std::string& content) {
    fs::create_directories((at_ / path).parent_path());
    const ByteView bytes(reinterpret_cast<const std::uint8_t*>(content.data()), content.size());
    replace_file((at_ / path).string(), bytes);
    Sha256 hash;
    hash.update(bytes);
    note(path, bytes.size(), hash.hex());
  }

  // Of all archives that are joined in a file.
  void add_needs(const fs::path& archive) {
    FileInput input((at_ / archive).string());
    container::ArchiveParser parser(input);
    std::vector<format::ModelRecord> known;
    while (parser.next_frame()) {
      if (const auto& record = parser.model();
          record && std::ranges::find(known, *record) == known.end()) {
        known.push_back(*record);
        add_needs(*record);
      }
      parser.skip_payload();
      if (progress_) progress_();
    }
    if (known.empty()) list_ += "    needs no model\n";
  }

  void add_needs(const format::ModelRecord& record) {
    if (record.backend != Backend::kExact) {
      throw Error(
          ErrorKind::kModel,
          "it was written with the llama backend: the same build of llama.cpp opens it, and "
          "no file that could be kept");
    }
    const std::shared_ptr<const codec::LoadedModel> loaded =
        Internals::source(model_).for_reading(record);
    list_ += "    model:      " + printable(add_model(*loaded)) + "\n";
    if (loaded->options().dictionary) {
      list_ += "    dictionary: " + add_dictionary(*loaded->options().dictionary) + "\n";
    }
  }

  // Gives the name of its file.
  std::string add_model(const codec::LoadedModel& loaded) {
    const std::string from = fs::absolute(loaded.path()).string();
    hub::SeenModel& line = models_[from];
    if (!line.path.empty()) return fs::path(line.path).filename().string();
    std::string name = fs::path(from).filename().string();
    if (text::utf8_prefix(name) != name.size()) name = printable(name);
    const fs::path kept = fs::path(hub::kModelsDirectory) / model_names_.take(name);
    fs::create_directories(at_ / kCache / hub::kModelsDirectory);
    copy(from, kCache / kept);
    // The file could have been another one since it was loaded.
    const auto copied = codec::LoadedModel::load((at_ / kCache / kept).string(), {});
    if (copied->identity() != loaded.identity()) {
      throw Error(ErrorKind::kModel, from + " was replaced by another model meanwhile");
    }
    line = {copied->identity(), copied->name(), kept.string(), copied->facts().size,
            Backend::kExact};
    ++summary_.models;
    describe(loaded, kept.filename().string());
    return kept.filename().string();
  }

  // What smll itself knows goes before what the file says.
  void describe(const codec::LoadedModel& loaded, const std::string& name) {
    const hub::KnownModel* known = hub::known_at(loaded.path());
    const std::string licence = known ? known->licence : loaded.facts().licence;
    described_ += printable(name) +
                  "\n    fingerprint: " + codec::identity_text(loaded.fingerprint()) +
                  "\n    licence:     " + (licence.empty() ? "unknown" : printable(licence)) + "\n";
    if (known && known->terms) described_ += std::string("    terms:       ") + known->terms + "\n";
  }

  std::string add_dictionary(const codec::Dictionary& dictionary) {
    const std::string name = codec::identity_text(dictionary.identity()) + ".smlld";
    const fs::path kept = kCache / hub::kDictionariesDirectory / name;
    if (!payload_.contains(kept.string())) {
      const Bytes bytes = dictionary.serialize();
      write(kept, std::string(bytes.begin(), bytes.end()));
      summary_.bytes += bytes.size();
      ++summary_.dictionaries;
    }
    return name;
  }

  std::string readme() const {
    const Versions known = versions();
    std::string text =
        "Archives of smll, a program that compresses text with a language model, and all that "
        "opens\n"
        "them. This directory is a BagIt bag (RFC 8493): what it holds is in data, and\n"
        "\n"
        "    sha256sum -c manifest-sha256.txt\n"
        "\n"
        "checks it. To restore an archive from this directory, without a network:\n"
        "\n"
        "    SMLL_CACHE=data/cache smll -dc data/archives/NAME > RESTORED\n"
        "\n"
        "(-t instead of -dc decodes and checks it). SMLL_CACHE must belong to whoever runs smll or "
        "to\n"
        "root. Where it does not, or for another decoder, name what the list below says:\n"
        "\n"
        "    smll -dc --model data/cache/models/MODEL -D data/cache/dictionaries/DICTIONARY \\\n"
        "        data/archives/NAME > RESTORED\n"
        "\n";
    text +=
        std::string("Written by smll ") + version() + ". Archives are of format " +
        std::to_string(known.format) + ", predictions " + std::to_string(known.predictions) +
        ", arithmetic " + std::to_string(known.arithmetic) + " or " +
        std::to_string(known.learning) +
        " (learning),\nas docs/spec in smll's sources specifies them to the bit; reference there "
        "is a decoder in Python.\nEvery later smll reads them.\n"
        "\n"
        "Archives, and the files in data/cache that they need:\n\n";
    text += list_;
    if (!described_.empty()) text += "\nModels:\n\n" + described_;
    return text;
  }

  const Model& model_;
  fs::path at_;
  const std::function<void()>& progress_;
  Names archive_names_, model_names_;
  std::map<std::string, hub::SeenModel> models_;  // by where they were copied from
  Hashes payload_, tags_;
  std::uint64_t payload_bytes_ = 0;
  // For people: archives with their needs, and models.
  std::string list_, described_;
  BundleSummary summary_;
};

}  // namespace

BundleSummary bundle(const std::vector<std::string>& archives, const std::string& directory,
                     const Model& model, const std::function<void()>& progress) {
  NewDirectory made(directory);
  try {
    Bundler bundler(model, made.at(), progress);
    for (const std::string& archive : archives) bundler.add(archive);
    const BundleSummary summary = bundler.finish();
    made.commit();
    return summary;
  } catch (const fs::filesystem_error& error) {
    throw Error(ErrorKind::kIo, "cannot write " + directory + ": " + error.code().message());
  }
}

}  // namespace smll
