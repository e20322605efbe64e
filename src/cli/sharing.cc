#include "cli/sharing.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <thread>

namespace smll::cli {
namespace {

// A model decodes so many lanes together; each of them has a file and a thread that waits.
constexpr unsigned kMostFiles = 32;
constexpr std::uint64_t kMaxRaw = std::uint64_t{1} << 20;      // of a file beside others
constexpr std::uint64_t kMaxArchive = std::uint64_t{1} << 20;  // likewise
// What a model remembers grows with the text.
constexpr std::uint64_t kRawOfAPart = std::uint64_t{8} << 10;

unsigned threads(const Args& args) {
  const unsigned threads = args.model.threads > 0 ? static_cast<unsigned>(args.model.threads)
                                                  : std::thread::hardware_concurrency();
  return std::max(1U, threads);
}

// Each file in work has two or three descriptors.
unsigned files_that_can_be_open() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kMostFiles;
  return static_cast<unsigned>(std::clamp<rlim_t>(limit.rlim_cur / 4, 1, kMostFiles));
}

// What the archive says about itself decides; a damaged one does not keep others waiting.
unsigned parts_for_archive(const Args& args, const std::string& path) {
  const unsigned of_a_thread = (kMostFiles + threads(args) - 1) / threads(args);
  std::optional<ArchiveInfo> info;
  try {
    FileSource source(path);
    info = list(source);
  } catch (const Error&) {
    return of_a_thread;
  }
  if (info->raw_size > kMaxRaw) return 0;
  // Context models take a core each.
  if (!info->needs_model) return of_a_thread;
  return std::min<unsigned>(kMostFiles, 1 + static_cast<unsigned>(info->raw_size / kRawOfAPart));
}

}  // namespace

unsigned parts_of(const Args& args) {
  return args.action == Action::kCompress ? std::min(2 * threads(args), files_that_can_be_open())
                                          : files_that_can_be_open();
}

unsigned parts_for(const Args& args, const std::string& path) {
  const bool several = args.inputs.size() > 1 || args.recursive;
  const bool to_stdout = args.action != Action::kTest && args.to_stdout;
  const bool alone = args.action == Action::kList || (to_stdout && ::isatty(STDOUT_FILENO)) ||
                     (args.action != Action::kTest && !args.to_stdout && !args.output.empty());
  if (!several || alone || args.flush_seconds > 0 || path == "-") return 0;
  const std::optional<struct stat> status = status_behind(path);
  if (!status || !S_ISREG(status->st_mode) || status->st_size == 0) return 0;
  const auto size = static_cast<std::uint64_t>(status->st_size);
  if (args.action == Action::kCompress) return size > kMaxRaw ? 0 : 1;
  return size > kMaxArchive ? 0 : parts_for_archive(args, path);
}

}  // namespace smll::cli
