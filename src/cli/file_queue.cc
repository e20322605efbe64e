#include "cli/file_queue.h"

#include <algorithm>
#include <chrono>
#include <new>
#include <utility>

#include "base/start_threads.h"

namespace smll::cli {
namespace {

constexpr std::chrono::milliseconds kTick{100};
// Outcomes that wait for their turn, and jobs, at most.
constexpr std::size_t kMaxEntries = 256;
// Of outputs that wait for their turn, of jobs that are done.
constexpr std::size_t kMaxKept = std::size_t{32} << 20;

void join(std::vector<std::thread>& threads) {
  for (std::thread& thread : threads) thread.join();
  threads.clear();
}

}  // namespace

FileQueue::~FileQueue() {
  for (Entry& entry : entries_) join(entry.thread);
}

void FileQueue::settle(const std::string& path) {
  if (entries_.empty()) return;
  const PathState state(path);
  const bool concerned = std::ranges::any_of(
      entries_, [&](const Entry& entry) { return entry.claims && entry.claims->concern(state); });
  if (concerned) finish();
}

void FileQueue::start(std::unique_ptr<FileJob> job, unsigned parts, const std::string& target) {
  parts = std::clamp(parts, 1U, parts_);
  wait_until([&] { return has_room(parts); });
  FileJob& work = *job;
  Claims claims(work.path(), target);
  Entry& entry = entries_.emplace_back();
  entry.claims.emplace(std::move(claims));
  entry.job = std::move(job);
  entry.parts = parts;
  entry.done = false;
  {
    const std::lock_guard lock(mutex_);
    used_ += parts;
  }
  // A deque's elements stay where they are.
  const auto body = [this, &entry, &work](std::size_t) {
    work.work_beside_others(std::max(1U, parts_ / entry.parts));
    const std::lock_guard lock(mutex_);
    used_ -= entry.parts;
    kept_ += work.kept();
    entry.done = true;
    changed_.notify_all();
  };
  try {
    start_threads(1, body, entry.thread);
  } catch (const std::bad_alloc&) {
  }
  if (entry.thread.empty()) body(0);
}

void FileQueue::add(Outcome outcome) {
  if (outcome.empty()) return;
  wait_until([&] { return has_room(0); });
  entries_.emplace_back().outcome.emplace(std::move(outcome));
  wait_until([] { return true; });
}

void FileQueue::finish() {
  wait_until([&] { return entries_.empty(); });
}

bool FileQueue::has_room(unsigned parts) const {
  const bool kept_waiting = !entries_.empty() && entries_.front().done;  // until none works
  return !kept_waiting && entries_.size() < kMaxEntries && used_ + parts <= parts_ &&
         kept_ < kMaxKept;
}

// With the lock. A job that is to work alone waits until nobody else works.
bool FileQueue::first_is_done() const {
  if (entries_.empty() || !entries_.front().done) return false;
  const FileJob* const job = entries_.front().job.get();
  return !job || !job->wants_all() || used_ == 0;
}

// `reached` is called with the lock.
void FileQueue::wait_until(const std::function<bool()>& reached) {
  std::unique_lock lock(mutex_);
  while (true) {
    while (first_is_done()) {
      lock.unlock();
      report_first();
      lock.lock();
    }
    if (reached()) return;
    changed_.wait_for(lock, kTick);
    lock.unlock();
    owner_.tick();
    lock.lock();
  }
}

void FileQueue::report_first() {
  Entry& entry = entries_.front();
  join(entry.thread);
  if (entry.job) {
    {
      const std::lock_guard lock(mutex_);
      kept_ -= entry.job->kept();
    }
    entry.job->give_output();
    if (entry.job->wants_all()) owner_.work_alone(*entry.job);
  }
  owner_.report(entry.job ? entry.job->outcome() : *entry.outcome);
  entries_.pop_front();
}

Stats FileQueue::so_far() const {
  Stats sum;
  for (const Entry& entry : entries_) {
    if (!entry.job) continue;
    const Stats stats = entry.job->so_far();
    sum.raw_bytes += stats.raw_bytes;
    sum.archive_bytes += stats.archive_bytes;
    sum.tokens += stats.tokens;
  }
  return sum;
}

}  // namespace smll::cli
