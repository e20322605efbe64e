#include "cli/python_command.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "smll/error.h"

namespace smll::cli {
namespace {

namespace fs = std::filesystem;

// Says what is missing instead of where in Python it was missed.
constexpr const char* kProgram = R"(
import sys
if sys.path[0] == "":
    del sys.path[0]  # the current directory may be anyone's
try:
    import smll.__main__
except ImportError as error:
    sys.exit(f"smll: '{sys.argv[1]}' needs the Python package smll, which {sys.executable} does not have ({error}); "
             "install it with pip, or name another interpreter in SMLL_PYTHON")
sys.exit(smll.__main__.main(sys.argv[1:]))
)";

fs::path program_directory() {
  std::error_code error;
  return fs::read_symlink("/proc/self/exe", error).parent_path();
}

std::string interpreter(const fs::path& directory) {
  if (const char* chosen = std::getenv("SMLL_PYTHON")) return chosen;
  // Beside the program, or the checkout's. auditwheel puts a wheel's programs into
  // PREFIX/lib/python3.X/site-packages/smll.scripts.
  std::vector<fs::path> paths = {directory / "python3",
                                 directory.parent_path() / ".venv" / "bin" / "python3"};
  if (directory.filename() == "smll.scripts") {
    paths.push_back((directory / "../../../../bin/python3").lexically_normal());
  }
  std::error_code error;
  for (const fs::path& path : paths) {
    if (!directory.empty() && fs::exists(path, error)) return path.string();
  }
  return "python3";
}

// A build directory holds the package beside the program.
void add_built_package(const fs::path& directory) {
  std::error_code error;
  const fs::path built = directory / "python";
  if (!fs::exists(built / "smll" / "__main__.py", error)) return;
  const char* before = std::getenv("PYTHONPATH");
  const std::string path = before ? built.string() + ":" + before : built.string();
  ::setenv("PYTHONPATH", path.c_str(), 1);
}

}  // namespace

void python_command(int argc, char** argv) {
  const fs::path directory = program_directory();
  add_built_package(directory);
  std::string python = interpreter(directory), option = "-c", program = kProgram;
  std::vector<char*> arguments = {python.data(), option.data(), program.data()};
  arguments.insert(arguments.end(), argv, argv + argc);
  arguments.push_back(nullptr);
  ::execvp(python.c_str(), arguments.data());
  throw Error(ErrorKind::kUsage, std::string("'") + argv[0] + "' needs Python: " + python + ": " +
                                     std::strerror(errno));
}

}  // namespace smll::cli
