#include "cli/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <new>
#include <utility>

#include "cli/progress.h"

namespace smll::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBuffer = std::size_t{256} << 10;

class NullSink : public Sink {
 public:
  void write(ByteView) override {}
};

std::string shown(const std::string& path) {
  return path == "-" ? "standard input" : printable(path);
}

ModelOptions with_notice(ModelOptions options, int verbosity) {
  if (verbosity >= 0) options.notice = [](const std::string& text) { say(text); };
  return options;
}

}  // namespace

Session::Session(Args args)
    : args_(std::move(args)), model_(with_notice(args_.model, args_.verbosity)) {}

int Session::run() {
  const auto start = std::chrono::steady_clock::now();
  for (const std::string& input : args_.inputs) run_input(input);
  totals_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (!args_.stats_path.empty()) {
    try {
      write_stats(args_.stats_path, args_, totals_, model_.info());
    } catch (const Error& error) {
      fail(args_.stats_path, error);
    }
  }
  return status_;
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
    fail(path, Error(ErrorKind::kIo, error.what()));
  }
}

void Session::run_directory(const std::string& path) {
  std::vector<std::string> entries;
  for (const fs::directory_entry& entry : fs::directory_iterator(path)) {
    entries.push_back(entry.path().string());
  }
  std::sort(entries.begin(), entries.end());
  const bool outer = std::exchange(quiet_recursion_, true);
  for (const std::string& entry : entries) run_input(entry);
  quiet_recursion_ = outer;
}

bool Session::accept(const std::string& path) {
  if (path == "-") return true;
  struct stat status = status_of(path);
  // Only where a file takes the place of its source does it matter that a link is none; inside
  // directories links may lead anywhere.
  const bool derives_name =
      !args_.to_stdout && args_.output.empty() &&
      (args_.action == Action::kCompress || args_.action == Action::kDecompress);
  if (S_ISLNK(status.st_mode)) {
    if ((derives_name || quiet_recursion_) && !args_.force) {
      skip(path + " is a symbolic link -- ignored (use -f to follow it)");
      return false;
    }
    status = FileSource(path).status();
  }
  if (S_ISDIR(status.st_mode)) {
    if (args_.recursive) return true;
    skip(path + " is a directory -- ignored (use -r to work on the files in it)");
    return false;
  }
  if (!S_ISREG(status.st_mode) && derives_name) {
    skip(path + " is not a regular file -- ignored");
    return false;
  }
  const bool has_suffix = path.ends_with(kSuffix);
  if (args_.action == Action::kCompress && has_suffix && derives_name && !args_.force) {
    skip(path + " already has the suffix " + kSuffix + " -- unchanged");
    return false;
  }
  // Inside a directory only archives are meant.
  return args_.action == Action::kCompress || !quiet_recursion_ || has_suffix;
}

void Session::skip(const std::string& message) {
  if (quiet_recursion_) return;
  if (args_.verbosity >= 0) say(message);
  if (status_ == 0) status_ = 1;
}

void Session::fail(const std::string& path, const Error& error) {
  say(shown(path) + ": " + error.what());
  if (status_ == 0) status_ = exit_status(error.kind());
}

void Session::process(const std::string& path) {
  FileSource source(path);
  last_ = Stats();
  if (args_.action == Action::kList) {
    list_archive(source, shown(path));
  } else if (args_.action == Action::kTest) {
    NullSink sink;
    decompress(source, sink, path);
    report_done(path, last_, "");
  } else if (args_.to_stdout || (path == "-" && args_.output.empty())) {
    to_standard_output(source, path);
  } else {
    to_file(source, path, args_.output.empty() ? target_of(path) : args_.output);
  }
  totals_.add(last_, args_.action == Action::kCompress);
}

void Session::to_standard_output(FileSource& source, const std::string& path) {
  const bool guarded = ::isatty(STDOUT_FILENO) && !args_.force;
  if (guarded && args_.action == Action::kCompress) {
    throw Error(ErrorKind::kData,
                "compressed data is not written to a terminal; use -o FILE or -f");
  }
  if (guarded) {
    TerminalSink sink(STDOUT_FILENO, "standard output");
    transform(source, sink, path);
  } else {
    DescriptorSink sink(STDOUT_FILENO, "standard output");
    transform(source, sink, path);
  }
  report_done(path, last_, "standard output");
}

void Session::to_file(FileSource& source, const std::string& path, const std::string& target) {
  check_not_same(source, target);
  OutputFile output(target, args_.force);
  transform(source, output, path);
  const bool derived = !source.is_stdin() && S_ISREG(source.status().st_mode);
  // A salvaged file is not the original: the archive stays.
  const bool whole = last_.damaged_frames == 0;
  output.commit(derived ? &source.status() : nullptr);
  if (args_.remove_source && derived && whole && ::unlink(path.c_str()) != 0) {
    throw Error(ErrorKind::kIo, "cannot remove it");
  }
  report_done(path, last_, target);
}

void Session::check_not_same(const FileSource& source, const std::string& target) const {
  struct stat status;
  if (::stat(target.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
      same_file(status, source.status())) {
    throw Error(ErrorKind::kUsage, "input and output are the same file");
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
  Writer writer(model_, options, sink);
  Bytes buffer(kBuffer);
  bool unflushed = false;
  while (true) {
    if (args_.flush_seconds > 0 && unflushed && !source.wait(args_.flush_seconds)) {
      writer.flush();
      unflushed = false;
    }
    const std::size_t got = source.read(buffer);
    if (got == 0) break;
    writer.write(ByteView(buffer).first(got));
    unflushed = true;
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
}

void Session::list_archive(FileSource& source, const std::string& name) {
  const ArchiveInfo info = list(source);
  if (!listed_) print_list_heading();
  listed_ = true;
  print_list_line(name, info);
  if (args_.verbosity > 0) print_list_frames(info);
}

void Session::report_done(const std::string& path, const Stats& stats, const std::string& target) {
  const bool talkative = args_.verbosity > 0 || (args_.verbosity == 0 && ::isatty(STDERR_FILENO));
  if (!talkative) return;
  if (args_.action == Action::kTest) {
    if (stats.damaged_frames == 0) fmt::print(stderr, "{}: OK\n", shown(path));
    return;
  }
  const bool compressing = args_.action == Action::kCompress;
  const std::string percent =
      stats.raw_bytes == 0
          ? "-"
          : fmt::format("{:.2f}%", 100.0 * static_cast<double>(stats.archive_bytes) /
                                       static_cast<double>(stats.raw_bytes));
  fmt::print(stderr, "{}: {}  ({} => {} bytes, {})\n", shown(path), percent,
             compressing ? stats.raw_bytes : stats.archive_bytes,
             compressing ? stats.archive_bytes : stats.raw_bytes, printable(target));
}

}  // namespace smll::cli
