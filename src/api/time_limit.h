// How long decoding may take in all.
#pragma once

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "codec/frame_codec.h"
#include "smll/error.h"

namespace smll::api {

class TimeLimit {
 public:
  // `seconds` of wall time; 0: no limit.
  explicit TimeLimit(double seconds) : limit_(seconds) {}

  // The result of `work`, which is given a progress that throws Error(kMemory) once all work so far
  // has taken too long, and else calls `progress`. Only the time in here counts.
  template <class Work>
  auto run(const codec::Progress& progress, Work&& work) {
    if (limit_ <= 0) return std::forward<Work>(work)(progress);
    const Running running(*this);
    check();
    return std::forward<Work>(work)([&](std::size_t bytes, std::uint64_t tokens) {
      check();
      if (progress) progress(bytes, tokens);
    });
  }

 private:
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;

  // Counts the time of one run, however it ends.
  class Running {
   public:
    explicit Running(TimeLimit& limit) : limit_(limit) { limit_.start_ = Clock::now(); }
    ~Running() { limit_.spent_ += Clock::now() - limit_.start_; }
    Running(const Running&) = delete;
    Running& operator=(const Running&) = delete;

   private:
    TimeLimit& limit_;
  };

  void check() const {
    const Seconds now = spent_ + (Clock::now() - start_);
    if (now.count() <= limit_) return;
    throw Error(ErrorKind::kMemory,
                fmt::format("decoding takes longer than the limit of {} seconds (--max-time, "
                            "max_seconds)",
                            limit_));
  }

  double limit_;
  Seconds spent_{0};
  Clock::time_point start_;
};

}  // namespace smll::api
