#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cfenv>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <latch>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <vector>

namespace smll {
namespace {

using Client = ThreadPool::Client;
using Lead = ThreadPool::Lead;

// Counts threads at work, and the most of them at once.
class AtWork {
 public:
  // Enough work that others come in meanwhile.
  void work() {
    const int now = count_.fetch_add(1) + 1;
    int most = most_.load();
    while (now > most && !most_.compare_exchange_weak(most, now)) {
    }
    std::this_thread::yield();
    count_.fetch_sub(1);
  }
  int most() const { return most_.load(); }

 private:
  std::atomic<int> count_{0}, most_{0};
};

// A loop of `count` tasks; each must run once, by a thread that does nothing else for this client.
void run_and_check(Client& client, std::size_t count, AtWork* at_work = nullptr) {
  std::vector<std::atomic<int>> counts(count);
  std::vector<std::atomic<bool>> busy(static_cast<std::size_t>(client.threads()));
  std::atomic<int> shared{0};
  client.run(count, [&](std::size_t task, int thread) {
    if (busy.at(static_cast<std::size_t>(thread)).exchange(true)) ++shared;
    if (at_work) at_work->work();
    counts.at(task).fetch_add(1);
    busy[static_cast<std::size_t>(thread)] = false;
  });
  for (auto& times : counts) ASSERT_EQ(1, times.load());
  ASSERT_EQ(0, shared.load());
}

// What jobs use is declared before their pool, which waits for them when it ends, and they own no
// part of the pool when they tell that they are done.

// Helpers are free again a moment after their jobs have told so.
void offer_until_taken(ThreadPool& pool, const std::function<void()>& job) {
  while (!pool.offer(job)) std::this_thread::yield();
}

TEST(ThreadPool, RunsEachTaskOnceAndPassesExceptionsOn) {
  for (const int threads : {1, 3}) {
    Client client(std::make_shared<ThreadPool>(threads));
    for (std::size_t round = 0; round < 2000; ++round) run_and_check(client, round % 50);
    EXPECT_THROW(client.run(10,
                            [](std::size_t task, int) {
                              if (task == 5) throw std::range_error("5");
                            }),
                 std::range_error);
    int sum = 0;
    client.run(1, [&](std::size_t, int) { ++sum; });
    EXPECT_EQ(1, sum);
    run_and_check(client, 50);
  }
}

TEST(ThreadPool, TakesTasksInAscendingOrder) {
  Client client(std::make_shared<ThreadPool>(3));
  for (int round = 0; round < 200; ++round) {
    std::vector<std::vector<std::size_t>> taken(3);
    client.run(40, [&](std::size_t task, int thread) {
      taken.at(static_cast<std::size_t>(thread)).push_back(task);
    });
    for (const auto& tasks : taken) EXPECT_TRUE(std::ranges::is_sorted(tasks));
  }
}

// Each task waits until the other has begun, so that one thread alone never ends the loop.
TEST(ThreadPool, HelpersTakeTasksOfEveryClientAwakeOrAsleep) {
  const auto pool = std::make_shared<ThreadPool>(2);
  Client first(pool), second(pool);
  for (int round = 0; round < 200; ++round) {
    for (Client* client : {&first, &second}) {
      std::latch both(2);
      client->run(2, [&](std::size_t, int) { both.arrive_and_wait(); });
    }
    if (round % 20 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(ThreadPool, HelpersRoundToNearest) {
  std::atomic<int> rounding{-1};
  ASSERT_EQ(0, std::fesetround(FE_UPWARD));
  std::latch done(1);
  ThreadPool pool(2);
  std::fesetround(FE_TONEAREST);
  ASSERT_TRUE(pool.offer([&] {
    volatile float one = 1.0f, little = 1e-10f;
    rounding = one + little > 1.0f ? FE_UPWARD : FE_TONEAREST;
    done.count_down();
  }));
  done.wait();
  EXPECT_EQ(FE_TONEAREST, rounding.load());
}

TEST(ThreadPool, OffersAreTakenByFreeHelpersOnly) {
  ThreadPool alone(1);
  EXPECT_FALSE(alone.offer([] {}));

  std::latch end(1), begun(2), again(1);
  std::atomic<int> ran{0};
  const auto pool = std::make_shared<ThreadPool>(3);
  const auto job = [&] {
    begun.count_down();
    end.wait();
    ++ran;
  };
  ASSERT_TRUE(pool->offer(job));
  ASSERT_TRUE(pool->offer(job));
  EXPECT_FALSE(pool->offer(job));
  begun.wait();
  EXPECT_FALSE(pool->offer(job));
  Client client(pool);
  EXPECT_EQ(1, client.free_threads());
  client.run(10, [](std::size_t, int thread) { EXPECT_EQ(0, thread); });
  end.count_down();
  offer_until_taken(*pool, [&] { again.count_down(); });
  again.wait();
  EXPECT_LE(1, ran.load());
}

TEST(ThreadPool, JobsAreTakenByHelpersThatTakeTasks) {
  const auto pool = std::make_shared<ThreadPool>(2);
  Client client(pool);
  for (int round = 0; round < 200; ++round) {
    std::atomic<bool> done{false};
    std::latch both(2);
    while (client.free_threads() < 2) std::this_thread::yield();  // the helper is at its last job
    client.run(2, [&](std::size_t, int) { both.arrive_and_wait(); });  // the helper is awake now
    offer_until_taken(*pool, [&] { done = true; });
    while (!done) run_and_check(client, 20);
  }
}

TEST(ThreadPool, WhoeverLeadsTakesAHelpersPlace) {
  const auto pool = std::make_shared<ThreadPool>(3);
  Client client(pool);
  // In another thread, until the end of what it returns.
  const auto lead = [&] {
    std::latch leads(1);
    std::jthread leader([&](const std::stop_token& stop) {
      const Lead counted(*pool);
      leads.count_down();
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any().wait(lock, stop, [] { return false; });
    });
    leads.wait();
    return leader;
  };
  EXPECT_EQ(3, client.free_threads());
  {
    const std::jthread first = lead();
    EXPECT_EQ(3, client.free_threads());
    const std::jthread second = lead();
    EXPECT_EQ(2, client.free_threads());
    const std::jthread third = lead();
    EXPECT_EQ(1, client.free_threads());
    EXPECT_FALSE(pool->offer([] {}));
    const std::jthread fourth = lead();
    EXPECT_EQ(1, client.free_threads());
    client.run(100, [](std::size_t, int thread) { EXPECT_EQ(0, thread); });
  }
  EXPECT_EQ(3, client.free_threads());
}

// A stream that was waited for within a job once kept a helper from another one.
TEST(ThreadPool, AThreadThatLeadsCountsOnce) {
  const auto pool = std::make_shared<ThreadPool>(3);
  Client client(pool);
  {
    const Lead outer(*pool), inner(*pool), innermost(*pool);
    EXPECT_EQ(3, client.free_threads());
  }
  std::latch told(1);
  offer_until_taken(*pool, [&] {
    {
      const Lead outer(*pool), inner(*pool);
      EXPECT_EQ(2, client.free_threads());
    }
    told.count_down();
  });
  told.wait();
}

TEST(ThreadPool, NoMoreThreadsWorkThanAsked) {
  constexpr int kThreads = 4, kLeaders = 2;
  AtWork at_work;
  std::latch all_lead(kLeaders + 1), all_done(kLeaders + 1);
  const auto pool = std::make_shared<ThreadPool>(kThreads);
  const auto lead = [&] {
    all_lead.arrive_and_wait();
    {
      Client client(pool);
      for (std::size_t round = 0; round < 300; ++round) run_and_check(client, round % 40, &at_work);
    }
    all_done.arrive_and_wait();  // nobody takes the place of one who is done
  };
  std::vector<std::thread> leaders;
  for (int i = 0; i < kLeaders; ++i) {
    leaders.emplace_back([&] {
      const Lead counted(*pool);
      lead();
    });
  }
  offer_until_taken(*pool, lead);
  for (std::thread& leader : leaders) leader.join();
  EXPECT_LE(at_work.most(), kThreads);
  EXPECT_GE(at_work.most(), 2);
}

// Callers and jobs, more of them than slots and threads, come and go with their clients.
TEST(ThreadPool, ServesManyClientsAndJobsAtOnce) {
  std::atomic<int> accepted{0}, ran{0};
  const auto pool = std::make_shared<ThreadPool>(4);
  const auto call = [&](std::size_t seed) {
    for (std::size_t round = 0; round < 60; ++round) {
      Client client(pool);
      for (std::size_t loop = 0; loop < 5; ++loop) {
        run_and_check(client, (seed * 7 + round + loop) % 30);
      }
      if (round % 10 == 0) {
        EXPECT_THROW(client.run(8, [](std::size_t, int) { throw std::range_error("all"); }),
                     std::range_error);
      }
      const bool taken = pool->offer([&, round] {
        {
          Client own(pool);
          run_and_check(own, round % 20);
        }
        ++ran;
      });
      if (taken) ++accepted;
    }
  };
  std::vector<std::thread> callers;
  for (std::size_t i = 0; i < 6; ++i) {
    callers.emplace_back([&, i] {
      if (i % 2 == 0) {
        const Lead counted(*pool);
        call(i);
      }
      call(i);
    });
  }
  for (std::thread& caller : callers) caller.join();
  while (ran.load() < accepted.load()) std::this_thread::yield();
  EXPECT_LT(0, ran.load());
}

TEST(ThreadPool, ClientsBeyondItsPlacesRunAlone) {
  const auto pool = std::make_shared<ThreadPool>(2);
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 70; ++i) clients.push_back(std::make_unique<Client>(pool));
  for (auto& client : clients) run_and_check(*client, 20);
  EXPECT_EQ(1, clients.back()->free_threads());
  clients.clear();
  Client next(pool);
  EXPECT_EQ(2, next.free_threads());
}

TEST(ThreadPool, EndsIdleOrAsleepAndAfterItsJobs) {
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> ran{0};
    {
      auto pool = std::make_shared<ThreadPool>(3);
      if (round % 2 == 0) {
        Client client(pool);
        run_and_check(client, 20);
      }
      if (round % 20 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (round % 3 == 0) {
        ASSERT_TRUE(pool->offer([&] {
          std::this_thread::yield();
          ++ran;
        }));
      }
    }
    ASSERT_EQ(round % 3 == 0 ? 1 : 0, ran.load());
  }
}

TEST(ThreadPool, WorksWithTheThreadsThatTheMachineGives) {
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "sanitizers need address space of their own";
#endif
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit before{};
  ASSERT_EQ(0, getrlimit(RLIMIT_AS, &before));
  for (const rlim_t room : {rlim_t{32} << 20, rlim_t{96} << 20}) {
    rlimit low = before;
    low.rlim_cur = pages * 4096 + room;
    ASSERT_EQ(0, setrlimit(RLIMIT_AS, &low));
    {
      Client client(std::make_shared<ThreadPool>(64));
      ASSERT_EQ(0, setrlimit(RLIMIT_AS, &before));
      EXPECT_LT(client.threads(), 64);
      for (std::size_t round = 0; round < 100; ++round) run_and_check(client, round);
    }
  }
}

}  // namespace
}  // namespace smll
