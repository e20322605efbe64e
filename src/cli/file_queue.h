// Works on several files at once and reports them in order.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "cli/claims.h"
#include "cli/file_job.h"

namespace smll::cli {

// For one calling thread. Each job has a thread of its own or, where none can be started, the
// caller's.
class FileQueue {
 public:
  // Called from within the calls below.
  class Owner {
   public:
    virtual ~Owner() = default;
    // For each outcome, in order.
    virtual void report(Outcome& outcome) = 0;
    // Has a job work that wants all memory, while no other does.
    virtual void work_alone(FileJob& job) = 0;
    // Now and then while others work.
    virtual void tick() = 0;
  };

  // `parts` is what all jobs may take together.
  FileQueue(unsigned parts, Owner& owner) : parts_(parts), owner_(owner) {}
  // Waits for what runs.
  ~FileQueue();
  FileQueue(const FileQueue&) = delete;
  FileQueue& operator=(const FileQueue&) = delete;

  // Waits for all jobs before where one of them may change what is found at `path`.
  void settle(const std::string& path);
  // Starts a job that takes so many of the parts, and writes `target` ("": nothing), once they are
  // free.
  void start(std::unique_ptr<FileJob> job, unsigned parts, const std::string& target);
  // An outcome without work.
  void add(Outcome outcome);
  // Waits for all jobs.
  void finish();

  // Of the jobs that are not reported yet.
  Stats so_far() const;

 private:
  struct Entry {
    std::unique_ptr<FileJob> job;  // null: an outcome without work
    unsigned parts = 0;
    std::optional<Claims> claims;
    std::optional<Outcome> outcome;
    std::vector<std::thread> thread;
    bool done = true;
  };

  void wait_until(const std::function<bool()>& reached);
  bool first_is_done() const;
  void report_first();
  bool has_room(unsigned parts) const;

  const unsigned parts_;
  Owner& owner_;
  std::deque<Entry> entries_;  // not reported yet; only the caller's
  std::mutex mutex_;           // of what follows, and of entries' `done`
  std::condition_variable changed_;
  unsigned used_ = 0;     // parts
  std::size_t kept_ = 0;  // bytes
};

}  // namespace smll::cli
