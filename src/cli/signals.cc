#include "cli/signals.h"

#include <limits.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>

namespace smll::cli {
namespace {

// A handler may only touch memory that needs no lock.
std::array<char, PATH_MAX> unfinished;
volatile std::sig_atomic_t has_unfinished = 0;

extern "C" void on_signal(int signal) {
  if (has_unfinished) ::unlink(unfinished.data());
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

void install_signal_handlers() {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction old;
    // nohup and background jobs ignore some of them: so do we.
    if (::sigaction(signal, nullptr, &old) == 0 && old.sa_handler == SIG_IGN) continue;
    std::signal(signal, on_signal);
  }
  // A file that grows past the limit is then an error of write(), with a message and no rest.
  std::signal(SIGXFSZ, SIG_IGN);
}

void set_unfinished_file(const std::string& path) {
  has_unfinished = 0;
  if (path.empty() || path.size() >= unfinished.size()) return;
  std::memcpy(unfinished.data(), path.c_str(), path.size() + 1);
  has_unfinished = 1;
}

}  // namespace smll::cli
