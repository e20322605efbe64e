#include "cli/file_job.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <new>
#include <optional>
#include <utility>

#include "cli/report.h"

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

// Keeps what others come before. Where that is much, the file is one to be worked on alone.
class KeepingSink : public Sink {
 public:
  explicit KeepingSink(Bytes& kept) : kept_(kept) {}
  void write(ByteView data) override {
    if (data.size() > kMostKept - kept_.size()) {
      throw Error(ErrorKind::kMemory, "it is too large to be kept");
    }
    kept_.insert(kept_.end(), data.begin(), data.end());
  }

 private:
  static constexpr std::size_t kMostKept = std::size_t{2} << 20;
  Bytes& kept_;
};

constexpr char kStandardOutput[] = "standard output";

}  // namespace

Error same_file() { return Error(ErrorKind::kUsage, "input and output are the same file"); }

std::string target_of(const Args& args, const std::string& path) {
  if (args.action == Action::kCompress) return path + kSuffix;
  const std::size_t stem = path.size() - std::string(kSuffix).size();
  if (!path.ends_with(kSuffix) || fs::path(path).filename() == kSuffix) {
    throw Error(ErrorKind::kData, std::string("its name does not end in ") + kSuffix +
                                      "; say where to write with -o FILE or -c");
  }
  return path.substr(0, stem);
}

bool shows_progress(const Args& args) {
  return args.progress.value_or(args.verbosity >= 0 && ::isatty(STDERR_FILENO));
}

FileJob::FileJob(const Run& run, std::string path)
    : run_(run),
      args_(run.args),
      path_(std::move(path)),
      max_memory_(run.args.limits.max_memory),
      outcome_(run.args.verbosity) {}

void FileJob::work_alone() {
  alone_ = true;
  max_memory_ = args_.limits.max_memory;
  outcome_ = Outcome(args_.verbosity);
  work();
}

void FileJob::work_beside_others(unsigned parts) {
  alone_ = false;
  // Nothing is left for an archive that shares too little; 0 would be no limit.
  max_memory_ = args_.limits.max_memory == 0
                    ? 0
                    : std::max<std::uint64_t>(1, args_.limits.max_memory / parts);
  outcome_ = Outcome(args_.verbosity, /*keeps_messages=*/true);
  try {
    work();
  } catch (const std::bad_alloc&) {  // by what was said of it
    wants_all_ = true;
  }
}

void FileJob::work() {
  wants_all_ = false;
  done_but_output_ = false;
  kept_.clear();
  const auto fail = [&](const Error& error) {
    wants_all_ = !alone_ && error.kind() == ErrorKind::kMemory;
    outcome_.fail(path_, error);
  };
  try {
    process();
  } catch (const Error& error) {
    fail(error);
  } catch (const std::bad_alloc&) {
    fail(Error(ErrorKind::kMemory, "not enough memory"));
  } catch (const fs::filesystem_error& error) {
    fail(Error(ErrorKind::kIo, "cannot read it: " + error.code().message()));
  }
}

Stats FileJob::so_far() const {
  Stats stats;
  stats.raw_bytes = raw_bytes_;
  stats.archive_bytes = archive_bytes_;
  stats.tokens = tokens_;
  return stats;
}

void FileJob::process() {
  FileSource source(path_);
  outcome_.touched.push_back(id_of(source.status()));
  if (run_.own.contains(id_of(source.status()))) throw same_file();
  if (args_.action == Action::kTest) {
    NullSink sink;
    decompress(source, sink);
    report_done("");
  } else if (args_.to_stdout || (path_ == "-" && args_.output.empty())) {
    to_descriptor(source, STDOUT_FILENO, kStandardOutput);
    if (done_but_output_) return;
  } else if (args_.output.empty()) {
    to_file(source, target_of(args_, path_));
  } else if (std::optional<Descriptor> descriptor = open_in_place(args_.output)) {
    to_descriptor(source, descriptor->get(), args_.output);
    if (!descriptor->close()) throw Error(ErrorKind::kIo, "cannot write " + args_.output);
  } else {
    to_file(source, args_.output);
  }
  outcome_.done = true;
}

void FileJob::to_descriptor(FileSource& source, int fd, const std::string& name) {
  const struct stat status = status_of(fd);
  if (S_ISREG(status.st_mode) && id_of(status) == id_of(source.status())) throw same_file();
  if (!alone_) {
    KeepingSink sink(kept_);
    transform(source, sink);
    done_but_output_ = true;
    return;
  }
  const std::unique_ptr<Sink> sink = sink_for(fd, name);
  transform(source, *sink);
  report_done(name);
}

// Also of a file that failed: as much as there was before.
void FileJob::give_output() {
  if (wants_all_) return;
  try {
    DescriptorSink(STDOUT_FILENO, kStandardOutput).write(kept_);
    if (done_but_output_) {
      report_done(kStandardOutput);
      outcome_.done = true;
    }
  } catch (const Error& error) {
    outcome_ = Outcome(args_.verbosity, /*keeps_messages=*/true);
    outcome_.fail(path_, error);
  }
  kept_ = {};
}

std::unique_ptr<Sink> FileJob::sink_for(int fd, const std::string& name) const {
  if (!::isatty(fd) || args_.force) return std::make_unique<DescriptorSink>(fd, name);
  if (args_.action == Action::kCompress) {
    throw Error(ErrorKind::kData,
                "compressed data is not written to a terminal; use -o FILE or -f");
  }
  return std::make_unique<TerminalSink>(fd, name);
}

void FileJob::to_file(FileSource& source, const std::string& target) {
  const std::optional<struct stat> there = status_behind(target);
  if (there && id_of(*there) == id_of(source.status())) throw same_file();
  if (there && run_.own.contains(id_of(*there))) {
    outcome_.touched.push_back(id_of(*there));
    throw Error(ErrorKind::kUsage, "another output of this run goes to " + target + " as well");
  }
  const bool named = !source.is_stdin() && S_ISREG(source.status().st_mode);
  if (args_.remove_source && named && source.status().st_nlink > 1 && !args_.force) {
    throw Error(ErrorKind::kIo, "it has other hard links; use -f to remove this one all the same");
  }
  OutputFile output(target, args_.force);
  transform(source, output);
  output.commit(named ? &source.status() : nullptr);
  outcome_.touched.push_back(id_of(status_of(target)));
  if (args_.remove_source && named) remove_source(source);
  report_done(target);
}

void FileJob::remove_source(const FileSource& source) {
  if (named_descriptor(path_)) return;  // it is the system's name for it
  if (args_.range || outcome_.stats.damaged_frames != 0) {
    outcome_.note(path_ + " is kept, as not all of it was restored");
    return;
  }
  if (source.changed()) throw Error(ErrorKind::kIo, "it changed while it was read, and is kept");
  const std::optional<struct stat> now = status_behind(path_);
  if (!now || id_of(*now) != id_of(source.status())) {
    throw Error(ErrorKind::kIo, "its name is another file's now, which is kept");
  }
  if (::unlink(path_.c_str()) != 0) {
    throw Error(ErrorKind::kIo, std::string("cannot remove it: ") + std::strerror(errno));
  }
}

void FileJob::transform(FileSource& source, Sink& sink) {
  if (source.is_stdin() && ::isatty(STDIN_FILENO) && args_.action == Action::kDecompress &&
      !args_.force) {
    throw Error(ErrorKind::kData, "compressed data is not read from a terminal; name a file");
  }
  if (args_.action == Action::kCompress) {
    compress(source, sink);
  } else {
    decompress(source, sink);
  }
}

void FileJob::compress(FileSource& source, Sink& sink) {
  ProgressBar bar(alone_ && shows_progress(args_), shown(path_),
                  source.seekable() ? source.size() : 0);
  WriteOptions options = args_.write;
  options.progress = progress(bar);
  if (args_.flush_seconds > 0) source.follow();
  Writer writer(run_.model, options, sink);
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
  outcome_.stats = writer.stats();
}

void FileJob::decompress(FileSource& source, Sink& sink) {
  // gzip and zstd copy what is no archive of theirs with -dcf, and zcat -f lives from it.
  const bool may_copy = args_.action == Action::kDecompress && args_.to_stdout && args_.force;
  if (!may_copy) return decode(source, sink);
  PeekedSource peeked(source, std::size(kFileMagic));
  const ByteView start = peeked.peeked();
  if (std::equal(start.begin(), start.end(), std::begin(kFileMagic), std::end(kFileMagic))) {
    decode(peeked, sink);
  } else {
    copy(peeked, sink);
  }
}

void FileJob::copy(Source& source, Sink& sink) {
  Bytes buffer(kBuffer);
  outcome_.stats = Stats();
  while (const std::size_t got = source.read(buffer)) {
    sink.write(ByteView(buffer).first(got));
    outcome_.stats.raw_bytes = outcome_.stats.archive_bytes += got;
  }
}

void FileJob::decode(Source& source, Sink& sink) {
  ProgressBar bar(alone_ && shows_progress(args_), shown(path_),
                  source.seekable() ? source.size() : 0);
  ReadOptions options;
  static_cast<Limits&>(options) = args_.limits;
  options.max_memory = max_memory_;
  options.range = args_.range;
  options.keep_going = args_.keep_going;
  options.progress = progress(bar);
  options.on_damage = [&](const Error& error) {
    bar.clear();
    outcome_.fail(path_, error);
  };
  Reader reader(run_.model, options, source);
  Bytes buffer(kBuffer);
  while (const std::size_t got = reader.read(buffer)) sink.write(ByteView(buffer).first(got));
  outcome_.stats = reader.stats();
  bar.clear();
  outcome_.note_padding(path_, outcome_.stats.padding);
}

Progress FileJob::progress(ProgressBar& bar) {
  return [&](const Stats& stats) {
    raw_bytes_ = stats.raw_bytes;
    archive_bytes_ = stats.archive_bytes;
    tokens_ = stats.tokens;
    bar.update(stats, args_.action == Action::kCompress);
  };
}

void FileJob::report_done(const std::string& target) {
  const Stats& stats = outcome_.stats;
  const bool talkative = args_.verbosity > 0 || (args_.verbosity == 0 && ::isatty(STDERR_FILENO));
  if (!talkative) return;
  if (args_.action == Action::kTest) {
    if (stats.damaged_frames == 0) outcome_.put(fmt::format("{}: OK\n", shown(path_)));
    return;
  }
  const bool compressing = args_.action == Action::kCompress;
  const std::string percent =
      stats.raw_bytes == 0
          ? "-"
          : fmt::format("{:.2f}%", 100.0 * static_cast<double>(stats.archive_bytes) /
                                       static_cast<double>(stats.raw_bytes));
  outcome_.put(fmt::format("{}: {}  ({} => {} bytes, {})\n", shown(path_), percent,
                           compressing ? stats.raw_bytes : stats.archive_bytes,
                           compressing ? stats.archive_bytes : stats.raw_bytes, printable(target)));
}

}  // namespace smll::cli
