#include "cli/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <new>
#include <utility>

#include "cli/progress.h"

namespace smll::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBuffer = std::size_t{256} << 10;
// A pause of the input after which what has come is coded while more is waited for.
constexpr double kPauseSeconds = 1;

class NullSink : public Sink {
 public:
  void write(ByteView) override {}
};

std::string shown(const std::string& path) {
  return path == "-" ? "standard input" : printable(path);
}

Error same_file() { return Error(ErrorKind::kUsage, "input and output are the same file"); }

ModelOptions with_notice(ModelOptions options, int verbosity) {
  if (verbosity >= 0) options.notice = [](const std::string& text) { say(text); };
  return options;
}

}  // namespace

Session::Session(Args args)
    : args_(std::move(args)), model_(with_notice(args_.model, args_.verbosity)) {
  if (named_descriptor(args_.output) == STDOUT_FILENO) args_.to_stdout = true;
}

int Session::run() {
  prepare_outputs();
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& input : args_.inputs) run_input(input);
  totals_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!args_.stats_path.empty()) {
    try {
      write_stats();
    } catch (const Error& error) {
      fail("--stats", error);
    }
  }
  return status_;
}

bool Session::writes_standard_output() const {
  if (args_.action == Action::kTest) return false;
  const bool from_standard_input =
      std::find(args_.inputs.begin(), args_.inputs.end(), "-") != args_.inputs.end();
  return args_.action == Action::kList || args_.to_stdout ||
         (args_.output.empty() && from_standard_input);
}

void Session::prepare_outputs() {
  if (writes_standard_output()) {
    const struct stat status = status_of(STDOUT_FILENO);
    if (S_ISREG(status.st_mode)) own_.insert(id_of(status));
  }
  if (args_.stats_path.empty()) return;
  const bool to_stdout =
      args_.stats_path == "-" || named_descriptor(args_.stats_path) == STDOUT_FILENO;
  const std::optional<struct stat> there = status_behind(args_.stats_path);
  if (writes_standard_output() && (to_stdout || (there && own_.contains(id_of(*there))))) {
    throw Error(ErrorKind::kUsage,
                "--stats and the data would both go to standard output; write one to a file");
  }
  if (to_stdout || !there || !S_ISREG(there->st_mode)) return;
  check_stats(*there);
  own_.insert(id_of(*there));
}

void Session::check_stats(const struct stat& there) const {
  for (const std::string& input : args_.inputs) {
    const std::optional<struct stat> status = status_behind(input);
    if (input != "-" && status && id_of(*status) == id_of(there)) {
      throw Error(ErrorKind::kUsage, "--stats would overwrite the input " + input);
    }
  }
  if (!args_.force && !named_descriptor(args_.stats_path)) {
    throw Error(ErrorKind::kIo, args_.stats_path + " already exists; use -f to overwrite it");
  }
}

void Session::write_stats() const {
  const std::string text = stats_text(args_, totals_, model_.info());
  if (const std::optional<Descriptor> descriptor = open_in_place(args_.stats_path)) {
    const bool standard = descriptor->get() == STDOUT_FILENO;
    DescriptorSink(descriptor->get(), standard ? "standard output" : args_.stats_path)
        .write(bytes_of(text));
    return;
  }
  const std::optional<struct stat> there = status_behind(args_.stats_path);
  if (there && touched_.contains(id_of(*there))) {
    throw Error(ErrorKind::kUsage, "statistics do not overwrite a file of the same run");
  }
  OutputFile output(args_.stats_path, args_.force);
  output.write(bytes_of(text));
  output.commit(nullptr);
}

void Session::run_input(const std::string& path) {
  try {
    if (!accept(path)) return;
    if (path != "-" && fs::is_directory(path)) {
      run_directory(path);
    } else {
      process(path);
    }
  } catch (const Error& error) {
    fail(path, error);
  } catch (const std::bad_alloc&) {
    fail(path, Error(ErrorKind::kMemory, "not enough memory"));
  } catch (const fs::filesystem_error& error) {
    fail(path, Error(ErrorKind::kIo, "cannot read it: " + error.code().message()));
  }
}

void Session::run_directory(const std::string& path) {
  // Links may lead to one directory in many ways, even without end.
  if (!directories_.insert(id_of(status_behind(path).value())).second) return;
  std::vector<std::string> entries;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    entries.push_back(entry.path().string());
  }
  std::sort(entries.begin(), entries.end());
  const bool outer = std::exchange(in_directory_, true);
  for (const std::string& entry : entries) run_input(entry);
  in_directory_ = outer;
}

bool Session::accept(const std::string& path) {
  if (path == "-") return true;
  struct stat status = status_of(path);
  // Only where a file takes the place of its source does it matter that a link is none, or where it
  // is to be removed; inside directories links may lead anywhere.
  const bool derives_name =
      !args_.to_stdout && args_.output.empty() &&
      (args_.action == Action::kCompress || args_.action == Action::kDecompress);
  if (S_ISLNK(status.st_mode)) {
    const bool removes = args_.remove_source && !args_.to_stdout;
    if ((derives_name || removes || in_directory_) && !args_.force) {
      skip(path + " is a symbolic link -- ignored (use -f to follow it)");
      return false;
    }
    const std::optional<struct stat> behind = status_behind(path);
    if (!behind) throw Error(ErrorKind::kIo, "the symbolic link leads nowhere");
    status = *behind;
  }
  if (S_ISDIR(status.st_mode)) return accept_directory(path);
  if (in_directory_) return accept_in_directory(path, status);
  if (!S_ISREG(status.st_mode) && derives_name) {
    skip(path + " is not a regular file -- ignored");
    return false;
  }
  if (args_.action == Action::kCompress && path.ends_with(kSuffix) && derives_name &&
      !args_.force) {
    skip(path + " already has the suffix " + kSuffix + " -- unchanged");
    return false;
  }
  return true;
}

bool Session::accept_directory(const std::string& path) {
  if (!args_.recursive) {
    skip(path + " is a directory -- ignored (use -r to work on the files in it)");
    return false;
  }
  if (!args_.output.empty() && !args_.to_stdout) {
    throw Error(ErrorKind::kUsage, "-o takes one file; use -c to join those of a directory");
  }
  return true;
}

bool Session::accept_in_directory(const std::string& path, const struct stat& status) {
  // Only archives are meant, or what is none yet.
  const bool archive = path.ends_with(kSuffix);
  if (args_.action == Action::kCompress ? archive && !args_.to_stdout : !archive) return false;
  if (!S_ISREG(status.st_mode)) {
    note(path + " is not a regular file -- ignored");
    return false;
  }
  if (own_.contains(id_of(status))) {
    note(path + " is written to by this run -- ignored");
    return false;
  }
  return true;
}

void Session::skip(const std::string& message) {
  if (in_directory_) return;
  note(message);
  if (status_ == 0) status_ = 1;
}

void Session::note(const std::string& message) const {
  if (args_.verbosity >= 0) say(message);
}

void Session::fail(const std::string& path, const Error& error) {
  if (args_.verbosity >= -1) say(shown(path) + ": " + error.what());
  if (status_ == 0) status_ = exit_status(error.kind());
}

void Session::process(const std::string& path) {
  FileSource source(path);
  touched_.insert(id_of(source.status()));
  if (own_.contains(id_of(source.status()))) throw same_file();
  last_ = Stats();
  if (args_.action == Action::kList) {
    list_archive(source, shown(path));
  } else if (args_.action == Action::kTest) {
    NullSink sink;
    decompress(source, sink, path);
    report_done(path, last_, "");
  } else if (args_.to_stdout || (path == "-" && args_.output.empty())) {
    to_descriptor(source, path, STDOUT_FILENO, "standard output");
  } else if (args_.output.empty()) {
    to_file(source, path, target_of(path));
  } else if (std::optional<Descriptor> descriptor = open_in_place(args_.output)) {
    to_descriptor(source, path, descriptor->get(), args_.output);
    if (!descriptor->close()) throw Error(ErrorKind::kIo, "cannot write " + args_.output);
  } else {
    to_file(source, path, args_.output);
  }
  totals_.add(last_, args_.action == Action::kCompress);
}

void Session::to_descriptor(FileSource& source, const std::string& path, int fd,
                            const std::string& name) {
  const struct stat status = status_of(fd);
  if (S_ISREG(status.st_mode) && id_of(status) == id_of(source.status())) throw same_file();
  const std::unique_ptr<Sink> sink = sink_for(fd, name);
  transform(source, *sink, path);
  report_done(path, last_, name);
}

std::unique_ptr<Sink> Session::sink_for(int fd, const std::string& name) const {
  if (!::isatty(fd) || args_.force) return std::make_unique<DescriptorSink>(fd, name);
  if (args_.action == Action::kCompress) {
    throw Error(ErrorKind::kData,
                "compressed data is not written to a terminal; use -o FILE or -f");
  }
  return std::make_unique<TerminalSink>(fd, name);
}

void Session::to_file(FileSource& source, const std::string& path, const std::string& target) {
  const std::optional<struct stat> there = status_behind(target);
  if (there && id_of(*there) == id_of(source.status())) throw same_file();
  if (there && own_.contains(id_of(*there))) {
    touched_.insert(id_of(*there));
    throw Error(ErrorKind::kUsage, "another output of this run goes to " + target + " as well");
  }
  const bool named = !source.is_stdin() && S_ISREG(source.status().st_mode);
  if (args_.remove_source && named && source.status().st_nlink > 1 && !args_.force) {
    throw Error(ErrorKind::kIo, "it has other hard links; use -f to remove this one all the same");
  }
  OutputFile output(target, args_.force);
  transform(source, output, path);
  output.commit(named ? &source.status() : nullptr);
  touched_.insert(id_of(status_of(target)));
  if (args_.remove_source && named) remove_source(source, path);
  report_done(path, last_, target);
}

void Session::remove_source(const FileSource& source, const std::string& path) {
  if (named_descriptor(path)) return;  // it is the system's name for it
  if (args_.range || last_.damaged_frames != 0) {
    note(path + " is kept, as not all of it was restored");
    return;
  }
  if (source.changed()) throw Error(ErrorKind::kIo, "it changed while it was read, and is kept");
  const std::optional<struct stat> now = status_behind(path);
  if (!now || id_of(*now) != id_of(source.status())) {
    throw Error(ErrorKind::kIo, "its name is another file's now, which is kept");
  }
  if (::unlink(path.c_str()) != 0) {
    throw Error(ErrorKind::kIo, std::string("cannot remove it: ") + std::strerror(errno));
  }
}

std::string Session::target_of(const std::string& path) const {
  if (args_.action == Action::kCompress) return path + kSuffix;
  const std::size_t stem = path.size() - std::string(kSuffix).size();
  if (!path.ends_with(kSuffix) || fs::path(path).filename() == kSuffix) {
    throw Error(ErrorKind::kData, std::string("its name does not end in ") + kSuffix +
                                      "; say where to write with -o FILE or -c");
  }
  return path.substr(0, stem);
}

void Session::transform(FileSource& source, Sink& sink, const std::string& path) {
  if (source.is_stdin() && ::isatty(STDIN_FILENO) && args_.action == Action::kDecompress &&
      !args_.force) {
    throw Error(ErrorKind::kData, "compressed data is not read from a terminal; name a file");
  }
  if (args_.action == Action::kCompress) {
    compress(source, sink, path);
  } else {
    decompress(source, sink, path);
  }
}

bool Session::shows_progress() const {
  return args_.progress.value_or(args_.verbosity >= 0 && ::isatty(STDERR_FILENO));
}

void Session::compress(FileSource& source, Sink& sink, const std::string& name) {
  ProgressBar bar(shows_progress(), shown(name), source.seekable() ? source.size() : 0);
  WriteOptions options = args_.write;
  options.progress = [&](const Stats& stats) { bar.update(stats, true); };
  if (args_.flush_seconds > 0) source.follow();
  Writer writer(model_, options, sink);
  Bytes buffer(kBuffer);
  const bool flushes = args_.flush_seconds > 0;
  bool fresh = false;  // something has come since the last pause
  while (true) {
    if (fresh && !source.wait(flushes ? args_.flush_seconds : kPauseSeconds)) {
      flushes ? writer.flush() : writer.catch_up();
      fresh = false;
    }
    const std::size_t got = source.read(buffer);
    if (got == 0) break;
    writer.write(ByteView(buffer).first(got));
    fresh = true;
  }
  writer.finish();
  last_ = writer.stats();
}

void Session::decompress(FileSource& source, Sink& sink, const std::string& name) {
  // gzip and zstd copy what is no archive of theirs with -dcf, and zcat -f lives from it.
  const bool may_copy = args_.action == Action::kDecompress && args_.to_stdout && args_.force;
  if (!may_copy) return decode(source, sink, name);
  PeekedSource peeked(source, std::size(kFileMagic));
  const ByteView start = peeked.peeked();
  if (std::equal(start.begin(), start.end(), std::begin(kFileMagic), std::end(kFileMagic))) {
    decode(peeked, sink, name);
  } else {
    copy(peeked, sink);
  }
}

void Session::copy(Source& source, Sink& sink) {
  Bytes buffer(kBuffer);
  last_ = Stats();
  while (const std::size_t got = source.read(buffer)) {
    sink.write(ByteView(buffer).first(got));
    last_.raw_bytes = last_.archive_bytes += got;
  }
}

void Session::decode(Source& source, Sink& sink, const std::string& name) {
  ProgressBar bar(shows_progress(), shown(name), source.seekable() ? source.size() : 0);
  ReadOptions options;
  static_cast<Limits&>(options) = args_.limits;
  options.range = args_.range;
  options.keep_going = args_.keep_going;
  options.progress = [&](const Stats& stats) { bar.update(stats, false); };
  options.on_damage = [&](const Error& error) {
    bar.clear();
    fail(name, error);
  };
  Reader reader(model_, options, source);
  Bytes buffer(kBuffer);
  while (const std::size_t got = reader.read(buffer)) sink.write(ByteView(buffer).first(got));
  last_ = reader.stats();
  bar.clear();
  note_padding(name, last_.padding);
}

void Session::note_padding(const std::string& name, std::uint64_t bytes) const {
  if (bytes == 0 || args_.verbosity < 0) return;
  say(fmt::format("{}: {} zero bytes behind the archive are ignored", shown(name), bytes));
}

void Session::list_archive(FileSource& source, const std::string& name) {
  const ArchiveInfo info = list(source);
  if (!listed_) print_list_heading();
  listed_ = true;
  print_list_line(name, info);
  if (args_.verbosity > 0) print_list_frames(info);
  note_padding(name, info.padding);
}

void Session::report_done(const std::string& path, const Stats& stats, const std::string& target) {
  const bool talkative = args_.verbosity > 0 || (args_.verbosity == 0 && ::isatty(STDERR_FILENO));
  if (!talkative) return;
  if (args_.action == Action::kTest) {
    if (stats.damaged_frames == 0) put_message(fmt::format("{}: OK\n", shown(path)));
    return;
  }
  const bool compressing = args_.action == Action::kCompress;
  const std::string percent =
      stats.raw_bytes == 0
          ? "-"
          : fmt::format("{:.2f}%", 100.0 * static_cast<double>(stats.archive_bytes) /
                                       static_cast<double>(stats.raw_bytes));
  put_message(fmt::format("{}: {}  ({} => {} bytes, {})\n", shown(path), percent,
                          compressing ? stats.raw_bytes : stats.archive_bytes,
                          compressing ? stats.archive_bytes : stats.raw_bytes, printable(target)));
}

}  // namespace smll::cli
