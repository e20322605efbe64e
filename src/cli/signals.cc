#include "cli/signals.h"

#include <limits.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstring>

namespace smll::cli {
namespace {

// All signals that end a process and can be caught, except SIGXFSZ.
constexpr int kEnding[] = {SIGHUP,  SIGINT,  SIGQUIT,   SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                           SIGFPE,  SIGUSR1, SIGSEGV,   SIGUSR2, SIGPIPE, SIGALRM, SIGTERM,
                           SIGXCPU, SIGPROF, SIGVTALRM, SIGIO,   SIGPWR,  SIGSYS,  SIGSTKFLT};

// A handler may only touch memory that needs no lock. It may run in any thread: the flag keeps it
// and a SignalHold in another thread apart.
using Name = std::array<char, PATH_MAX>;
std::array<Name, kMaxUnfinished> unfinished = {};
std::atomic_flag busy;

void acquire() {
  while (busy.test_and_set(std::memory_order_acquire)) {
  }
}

Name* find(const char* path) {
  for (Name& name : unfinished) {
    if (std::strcmp(name.data(), path) == 0) return &name;
  }
  return nullptr;
}

// Keeps the flag, so that no file is made after the last one was removed.
extern "C" void on_signal(int signal) {
  acquire();
  for (const Name& name : unfinished) {
    if (name[0] != '\0') ::unlink(name.data());
  }
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

sigset_t ending_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signal : kEnding) ::sigaddset(&set, signal);
  return set;
}

}  // namespace

void install_signal_handlers() {
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_mask = ending_signals();
  action.sa_flags = SA_RESTART;
  for (const int signal : kEnding) {
    struct sigaction old;
    // nohup and background jobs ignore some of them, and sanitizers report others: so it stays.
    if (::sigaction(signal, nullptr, &old) == 0 && old.sa_handler != SIG_DFL) continue;
    ::sigaction(signal, &action, nullptr);
  }
  // A file that grows past the limit is then an error of write(), with a message and no rest.
  std::signal(SIGXFSZ, SIG_IGN);
}

SignalHold::SignalHold() {
  // Blocked first: a handler in this thread would wait for the flag for ever.
  const sigset_t set = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, &before_);
  acquire();
}

SignalHold::~SignalHold() {
  busy.clear(std::memory_order_release);
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void SignalHold::add_unfinished_file(const std::string& path) {
  Name* const free = find("");
  // Longer paths cannot be opened.
  if (free && path.size() < free->size()) std::memcpy(free->data(), path.c_str(), path.size() + 1);
}

void SignalHold::remove_unfinished_file(const std::string& path) {
  if (Name* const name = find(path.c_str())) (*name)[0] = '\0';
}

}  // namespace smll::cli
