// Who leads seats, who waits, and how streams come to sit where they do.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "codec/alphabet.h"
#include "codec/scheduler.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

// A stream that feeds nothing: `step` is called instead, once a pass and part, until it says that
// the stream is over.
class Steps : public Stream {
 public:
  struct Form {
    std::size_t lanes = 1;
    std::uint64_t memory = 0;
    std::size_t parts = 1;
    std::function<bool()> begin;
    std::function<void()> sit;
  };
  Steps(const Form& form, std::function<bool(std::size_t part)> step)
      : form_(form), step_(std::move(step)) {}
  std::size_t lanes() const override { return form_.lanes; }
  std::uint64_t memory() const override { return form_.memory; }
  std::size_t max_parts() const override { return form_.parts; }
  bool begin(const Progress&) override { return !form_.begin || form_.begin(); }
  void share_lanes(std::size_t parts) override { parts_ = std::vector<Part>(parts); }
  void open(std::size_t, lm::Predictor&) override {
    if (form_.sit) form_.sit();
  }
  void collect(std::size_t part, lm::Predictor&, const Room&,
               std::vector<lm::LaneInput>&) override {
    parts_[part].leader = std::this_thread::get_id();
  }
  void advance(std::size_t part) override {
    if (std::this_thread::get_id() != parts_[part].leader) ++helped;
    parts_[part].over = step_(part);
  }
  bool close(std::size_t part, lm::Predictor&) override { return parts_[part].over; }
  void close_all(std::size_t, lm::Predictor&) override {}

  std::atomic<int> helped = 0;  // steps by another thread than the leader

 private:
  struct Part {
    std::thread::id leader;
    bool over = false;
  };
  const Form form_;
  const std::function<bool(std::size_t)> step_;
  std::vector<Part> parts_;
};

std::unique_ptr<Scheduler> scheduler(const Scheduler::Size& size, int threads) {
  return std::make_unique<Scheduler>([] { return std::make_unique<Alphabet>(); }, size,
                                     std::make_shared<ThreadPool>(threads));
}

// One of two callers, whose streams sit in two seats, is away in its progress. Nobody waits within
// a stream.
TEST(SchedulerThreads, SeatsWhoseOwnersAreAwayAreLedInTurn) {
  constexpr int kEnough = 1000, kNever = 1000000;
  const auto shared = scheduler({.seats = 2, .lanes = 1}, 1);
  std::atomic<bool> first_sits = false, second_sits = false, away = false, over = false;
  int own = 0;
  std::atomic<int> others = 0;
  const auto first = std::make_shared<Steps>(Steps::Form{}, [&](std::size_t) {
    first_sits = true;
    if (!away) return false;
    return others >= kEnough || ++own > kNever;
  });
  const auto second = std::make_shared<Steps>(Steps::Form{}, [&](std::size_t) {
    second_sits = true;
    return away && ++others >= kEnough;
  });
  std::thread caller([&] {
    shared->wait(shared->submit(second, &second), [&](std::size_t, std::uint64_t) {
      if (!first_sits || !second_sits) return;
      away = true;
      over.wait(false);
    });
  });
  shared->wait(shared->submit(first, &first), {});
  over = true;
  over.notify_all();
  caller.join();
  EXPECT_GE(others, kEnough);
  EXPECT_LE(own, kNever);
}

// It had to wait until there was room for it, only to be thrown out.
TEST(SchedulerThreads, WhoWaitsInLineCanCancel) {
  const auto one = scheduler({.seats = 1, .lanes = 32}, 1);
  std::atomic<bool> began = false, go_on = false;
  const auto busy = std::make_shared<Steps>(Steps::Form{}, [&](std::size_t) {
    began = true;
    began.notify_all();
    go_on.wait(false);
    return true;
  });
  std::thread other([&] { one->wait(one->submit(busy, &busy), {}); });
  began.wait(false);
  bool begun = false;
  Steps::Form form;
  form.begin = [&] { return begun = true; };
  const auto stream = std::make_shared<Steps>(form, [](std::size_t) { return true; });
  const auto cancel = [](std::size_t, std::uint64_t) { throw Error(ErrorKind::kIo, "cancelled"); };
  EXPECT_THROW(one->wait(one->submit(stream, &stream), cancel), Error);
  const auto ticket = one->submit(stream, &stream);
  Scheduler::cancel(ticket);
  EXPECT_THROW(one->wait(ticket, {}), Error);
  go_on = true;
  go_on.notify_all();
  other.join();
  EXPECT_FALSE(begun);
}

// Who led went on with what others had put in line meanwhile, without end.
TEST(SchedulerThreads, WorkOfOthersThatNeedsNoModelKeepsNobody) {
  constexpr int kMost = 10000;
  const auto one = scheduler({.seats = 1, .lanes = 32}, 1);
  std::vector<std::shared_ptr<Scheduler::Ticket>> others;
  std::atomic<bool> enough = false;
  std::function<bool()> again;
  const auto submit = [&] {
    Steps::Form form;
    form.begin = again;
    others.push_back(
        one->submit(std::make_shared<Steps>(form, [](std::size_t) { return true; }), &others));
  };
  again = [&] {
    if (!enough && others.size() < kMost) submit();
    return false;
  };
  submit();
  Steps::Form form;
  form.begin = [] { return false; };
  const auto own = std::make_shared<Steps>(form, [](std::size_t) { return true; });
  one->wait(one->submit(own, &own), {});
  EXPECT_LT(others.size(), kMost);
  enough = true;
  for (std::size_t i = 0; i < others.size(); ++i) {
    const auto ticket = others[i];
    one->wait(ticket, {});
  }
}

// A helper that waited there for another part may have been the one which was to lead that part.
TEST(SchedulerThreads, PartsThatMayWaitForOthersKeepNoHelper) {
  const auto shared = scheduler({.seats = 2, .lanes = 32}, 3);
  std::array<std::atomic<int>, 2> steps = {};
  Steps::Form form;
  form.parts = 2;
  form.lanes = 16;
  const auto split =
      std::make_shared<Steps>(form, [&](std::size_t part) { return ++steps.at(part) > 3000; });
  std::vector<std::shared_ptr<Scheduler::Ticket>> tickets = {shared->submit(split, &split)};
  for (int i = 0; i < 8; ++i) {
    auto passes = std::make_shared<int>(0);
    const auto company = std::make_shared<Steps>(Steps::Form{}, [passes](std::size_t) {
      std::mt19937 work(1);
      work.discard(2000);  // so that helpers come, and stay
      return work() > 0 && ++*passes > 3000;
    });
    tickets.push_back(shared->submit(company, &split));
  }
  for (const auto& ticket : tickets) shared->wait(ticket, {});
  EXPECT_GT(steps[0], 3000);
  EXPECT_EQ(split->helped, 0);
}

// What is cancelled before it has memory gives none back, and what fails gives back its own.
TEST(SchedulerThreads, StreamsWaitForMemory) {
  const auto shared = scheduler({.seats = 3, .lanes = 32}, 3);
  std::atomic<int> at_once = 0, most = 0;
  std::vector<std::shared_ptr<Steps>> streams;
  std::vector<std::shared_ptr<Scheduler::Ticket>> tickets;
  for (int i = 0; i < 60; ++i) {
    Steps::Form form;
    form.memory = std::uint64_t{i % 3 == 0 ? 2000u : 500u} << 20;
    form.begin = [&, i] {
      most = std::max(most.load(), ++at_once);
      if (i % 7 == 0) {
        --at_once;
        throw std::runtime_error("begin");
      }
      return true;
    };
    auto passes = std::make_shared<int>(0);
    streams.push_back(std::make_shared<Steps>(form, [&, passes](std::size_t) {
      if (++*passes < 3) return false;
      --at_once;
      return true;
    }));
    tickets.push_back(shared->submit(streams.back(), i % 2 == 0 ? &streams : nullptr));
    if (i % 5 == 0) Scheduler::cancel(tickets.back());
  }
  std::vector<std::thread> callers;
  std::atomic<int> failed = 0;
  for (std::size_t caller = 0; caller < 3; ++caller) {
    callers.emplace_back([&, caller] {
      for (std::size_t i = caller; i < tickets.size(); i += 3) {
        try {
          shared->wait(tickets[i], {});
        } catch (const std::exception&) {
          ++failed;
        }
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(most, 1);
  EXPECT_EQ(at_once, 0);
  EXPECT_EQ(failed, 12 + 9 - 2);  // cancelled, failed, both
}

// All sit before any goes on, two at each seat.
TEST(SchedulerThreads, StreamsAreSpreadOverSeats) {
  const auto shared = scheduler({.seats = 4, .lanes = 32, .spread = true}, 4);
  constexpr std::size_t kStreams = 8;
  std::atomic<std::size_t> sitting = 0;
  std::mutex mutex;
  std::map<std::thread::id, int> led;
  std::vector<std::shared_ptr<Scheduler::Ticket>> tickets;
  for (std::size_t i = 0; i < kStreams; ++i) {
    Steps::Form form;
    form.lanes = 4;
    form.sit = [&] {
      ++sitting;
      const std::lock_guard lock(mutex);
      ++led[std::this_thread::get_id()];
    };
    tickets.push_back(shared->submit(
        std::make_shared<Steps>(form, [&](std::size_t) { return sitting == kStreams; }), nullptr));
  }
  for (const auto& ticket : tickets) shared->wait(ticket, {});
  EXPECT_EQ(led.size(), 4u);
  for (const auto& [thread, streams] : led) EXPECT_EQ(streams, 2);
}

// The last of a stream may be the last of the scheduler's model.
TEST(SchedulerThreads, NobodyHasAStreamThatIsDone) {
  const auto shared = scheduler({.seats = 4, .lanes = 32}, 4);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::shared_ptr<Scheduler::Ticket>> tickets;
    for (int i = 0; i < 6; ++i) {
      Steps::Form form;
      form.parts = 2;
      if (i % 3 == 0) form.begin = [] { return false; };
      tickets.push_back(shared->submit(
          std::make_shared<Steps>(form, [](std::size_t) { return true; }), &tickets));
    }
    for (const auto& ticket : tickets) {
      shared->wait(ticket, {});
      EXPECT_EQ(ticket.use_count(), 1);
    }
  }
}

}  // namespace
}  // namespace smll::codec
