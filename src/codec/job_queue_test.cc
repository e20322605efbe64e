#include "codec/job_queue.h"

#include <gtest/gtest.h>

#include <latch>
#include <set>
#include <stdexcept>
#include <thread>

namespace smll::codec {
namespace {

// Worth a thread.
constexpr std::size_t kBytes = 100000;

TEST(JobQueueThreads, ResultsComeInOrder) {
  for (const int threads : {1, 2, 5}) {
    JobQueue<int> queue(threads);
    int started = 0, finished = 0;
    const auto finish = [&] {
      const int number = finished++;
      if (number % 7 == 3) {
        EXPECT_THROW(queue.finish({}), std::range_error);
      } else {
        EXPECT_EQ(queue.finish({}), number);
      }
    };
    while (started < 200) {
      if (queue.full()) finish();
      const int number = started++;
      const std::size_t bytes = number % 3 == 0 ? 10 : kBytes;
      queue.start(bytes, number % 5 == 0, [number](const Progress& progress) {
        progress(1, 1);
        if (number % 7 == 3) throw std::range_error("3");
        return number;
      });
      while (queue.ready()) finish();
    }
    while (!queue.empty()) finish();
    EXPECT_EQ(finished, 200);
  }
}

// Each waits until the other has begun.
TEST(JobQueueThreads, TheCallerWorksBesideThePool) {
  for (int round = 0; round < 50; ++round) {
    JobQueue<std::thread::id> queue(2);
    std::latch both(2);
    for (int i = 0; i < 2; ++i) {
      queue.start(kBytes, false, [&](const Progress&) {
        both.arrive_and_wait();
        return std::this_thread::get_id();
      });
    }
    std::set<std::thread::id> workers;
    for (int i = 0; i < 2; ++i) workers.insert(queue.finish({}));
    EXPECT_EQ(workers.size(), 2U);
    EXPECT_TRUE(workers.contains(std::this_thread::get_id()));
  }
}

TEST(JobQueueThreads, NoMoreWorkAtOnceThanAllowed) {
  for (const std::size_t limit : {1U, 2U}) {
    JobQueue<int> queue(4);
    queue.limit(limit);
    std::atomic<std::size_t> at_work = 0, most = 0;
    for (int i = 0; i < 100; ++i) {
      if (queue.full()) queue.finish({});
      queue.start(kBytes, false, [&](const Progress&) {
        most = std::max<std::size_t>(most, ++at_work);
        std::this_thread::yield();
        --at_work;
        return 0;
      });
    }
    while (!queue.empty()) queue.finish({});
    EXPECT_LE(most, limit);
  }
}

TEST(JobQueueThreads, ProgressIsTheCallersAndTheSumOfAll) {
  JobQueue<int> queue(2);
  std::latch told(1);
  for (int i = 0; i < 2; ++i) {
    queue.start(kBytes, false, [&](const Progress& progress) {
      progress(5, 2);
      told.wait();
      return 0;
    });
  }
  std::size_t most = 0;
  const Progress progress = [&, caller = std::this_thread::get_id()](std::size_t bytes,
                                                                     std::uint64_t tokens) {
    EXPECT_EQ(std::this_thread::get_id(), caller);
    EXPECT_EQ(tokens * 5, bytes * 2);
    most = std::max(most, bytes);
    if (told.try_wait()) return;
    told.count_down();
  };
  queue.finish(progress);
  queue.finish(progress);
  EXPECT_GE(most, 5U);
  EXPECT_LE(most, 10U);
}

// They go on until they are told, wherever they run.
TEST(JobQueueThreads, WhatIsNotFinishedIsCancelled) {
  for (const bool thrown : {true, false}) {
    std::latch running(1);
    std::atomic<int> cancelled = 0;
    {
      JobQueue<int> queue(2);
      for (int i = 0; i < 3; ++i) {
        queue.start(kBytes, false, [&, i](const Progress& progress) {
          if (i == 0) running.count_down();
          try {
            while (true) progress(0, 0);
          } catch (...) {
            ++cancelled;
            throw;
          }
          return 0;
        });
      }
      running.wait();
      if (thrown) {
        EXPECT_THROW(queue.finish([](std::size_t, std::uint64_t) { throw std::range_error("5"); }),
                     std::range_error);
      }
    }
    EXPECT_EQ(cancelled, thrown ? 2 : 1);
  }
}

}  // namespace
}  // namespace smll::codec
