// Streams that share predictors.
#include "codec/scheduler.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "codec/decode_stream.h"
#include "codec/model_coder.h"
#include "codec/record_stream.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

// Three tokens, a, b and c.
const text::Vocabulary& letters() {
  static const std::array<text::VocabularyEntry, 3> kEntries = {
      {{"a", true}, {"b", true}, {"c", true}}};
  static const text::Vocabulary vocabulary(kEntries);
  return vocabulary;
}

// Expects the token after the one before, a little more with each token of its lane.
class Alphabet : public lm::Predictor {
 public:
  explicit Alphabet(std::size_t fail_after = SIZE_MAX) : left_(fail_after) {}
  ~Alphabet() override {
    for (const int fed : fed_) EXPECT_EQ(fed, kClosed) << "a lane was left open";
  }
  int max_lanes() const override { return 1000; }
  bool prefill_is_exact() const override { return true; }
  std::size_t preferred_batch() const override { return 8; }
  std::shared_ptr<const lm::KeptContext> keep_lane(int) override { return nullptr; }
  int open_lane(std::shared_ptr<const lm::KeptContext>) override {
    const auto closed = std::ranges::find(fed_, kClosed);
    const auto number = static_cast<int>(closed - fed_.begin());
    if (closed == fed_.end()) fed_.push_back(kClosed);
    fed_[static_cast<std::size_t>(number)] = 0;
    return number;
  }
  void close_lane(int lane) override { fed_.at(static_cast<std::size_t>(lane)) = kClosed; }
  Token start_token() const override { return 2; }
  void feed(std::span<const lm::LaneInput> batch) override {
    lm::Distribution scratch;
    for (const lm::LaneInput& input : batch) {
      int& fed = fed_.at(static_cast<std::size_t>(input.lane));
      if (fed == kClosed) throw std::logic_error("the lane is closed");
      for (std::size_t i = 0; i < input.tokens.size(); ++i) {
        if (left_ == 0) throw std::runtime_error("the predictor failed");
        --left_;
        std::array<float, 3> logits = {};
        logits[static_cast<std::size_t>(input.tokens[i] + 1) % 3] =
            0.1f * static_cast<float>(++fed);
        lm::answer(input, i, logits, letters(), exact::Isa::kScalar, scratch);
      }
    }
  }
  std::size_t max_guesses(int) const override { return 4; }
  void take_back(int lane, std::size_t count) override {
    fed_.at(static_cast<std::size_t>(lane)) -= static_cast<int>(count);
  }

 private:
  static constexpr int kClosed = -1;
  std::vector<int> fed_;
  std::size_t left_;
};

// Random letters, with a byte that no token spells in each lane.
ModelledFrame random_frame(std::size_t lanes, std::size_t units, unsigned seed) {
  std::mt19937 random(seed);
  ModelledFrame frame;
  frame.lanes.resize(lanes);
  frame.paths.resize(lanes);
  frame.escapes = true;
  for (LaneText& lane : frame.lanes) {
    const std::size_t size = units + random() % 9;
    for (std::size_t i = 0; i < size; ++i)
      lane.units.push_back({static_cast<std::uint32_t>(random() % 3), 0});
    lane.units[random() % size] = {text::Vocabulary::kNoRow, 'x'};
    lane.extent = {frame.bytes, size};
    frame.bytes += size;
  }
  return frame;
}

std::vector<std::uint8_t> spelled(const ModelledFrame& frame) {
  std::vector<std::uint8_t> bytes;
  for (const LaneText& lane : frame.lanes) {
    for (const text::Unit& unit : lane.units) {
      bytes.push_back(unit.escaped() ? unit.byte : static_cast<std::uint8_t>('a' + unit.row));
    }
  }
  return bytes;
}

std::unique_ptr<Scheduler> scheduler(std::size_t threads, std::size_t fail_after = SIZE_MAX) {
  return std::make_unique<Scheduler>(
      [fail_after] { return std::make_unique<Alphabet>(fail_after); },
      Scheduler::Size{.seats = threads, .lanes = 32},
      std::make_shared<ThreadPool>(static_cast<int>(threads)));
}

constexpr DecodeStream::Form kForm = {mix::Sources::kAll, 32};

std::vector<std::uint8_t> encode(Scheduler& scheduler, ModelledFrame frame) {
  FrameEncoder encoder(frame, letters(), kForm.experts);
  RecordStream stream(frame, letters(), [&](auto recorded) { encoder.advance(recorded); });
  scheduler.run(stream, {});
  return encoder.finish();
}

std::vector<std::uint8_t> decode(Scheduler& scheduler, std::span<const std::uint8_t> payload,
                                 std::size_t size, const Progress& progress = {}) {
  DecodeStream stream(payload, size, letters(), kForm);
  scheduler.run(stream, progress);
  stream.end({});
  return stream.take_data();
}

TEST(SchedulerThreads, ResultsDoNotDependOnSeatsNorOnCompany) {
  struct Case {
    ModelledFrame frame;
    std::vector<std::uint8_t> payload;
  };
  std::vector<Case> cases;
  const auto alone = scheduler(1);
  for (unsigned seed = 0; seed < 24; ++seed) {
    ModelledFrame frame = random_frame(1 + seed * 7 % 32, 1 + seed % 5 * 20, seed);
    std::vector<std::uint8_t> payload = encode(*alone, frame);
    cases.push_back({std::move(frame), std::move(payload)});
  }
  for (const std::size_t threads : {1u, 2u, 4u}) {
    const auto shared = scheduler(threads);
    std::vector<std::thread> callers;
    for (std::size_t caller = 0; caller < 6; ++caller) {
      callers.emplace_back([&, caller] {
        for (std::size_t i = caller % 3; i < cases.size(); i += 3) {
          const Case& each = cases[i];
          EXPECT_EQ(encode(*shared, each.frame), each.payload);
          EXPECT_EQ(decode(*shared, each.payload, each.frame.bytes), spelled(each.frame));
        }
      });
    }
    for (std::thread& caller : callers) caller.join();
  }
}

// A stream of one lane that does its part before and after the model.
class Whole : public RecordStream {
 public:
  explicit Whole(std::unique_ptr<ModelledFrame> frame, int fails = 0)
      : RecordStream(*frame, letters()), frame_(std::move(frame)), fails_(fails) {}
  bool begin(const Progress&) override {
    if (fails_ == 1) throw std::runtime_error("begin");
    return fails_ != 2;
  }
  void end(const Progress&) override {
    if (fails_ == 3) throw std::runtime_error("end");
    if (fails_ == 2) return;
    payload = FrameEncoder(*frame_, letters(), kForm.experts).finish();
  }
  std::vector<std::uint8_t> payload;

 private:
  std::unique_ptr<ModelledFrame> frame_;
  int fails_;
};

TEST(SchedulerThreads, ManyStreamsOfSeveralCallers) {
  const auto alone = scheduler(1);
  const auto shared = scheduler(3);
  std::vector<std::thread> callers;
  std::atomic<int> failed = 0;
  for (unsigned caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&, caller] {
      std::vector<std::shared_ptr<Whole>> streams;
      std::vector<std::shared_ptr<Scheduler::Ticket>> tickets;
      for (unsigned i = 0; i < 100; ++i) {
        auto frame = std::make_unique<ModelledFrame>(random_frame(1, 1 + i % 30, i));
        streams.push_back(std::make_shared<Whole>(std::move(frame), i % 10 < 4 ? i % 10 : 0));
        tickets.push_back(shared->submit(streams.back(), &streams));
      }
      for (unsigned i = 0; i < 100; ++i) {
        try {
          shared->wait(tickets[i], {});
        } catch (const std::runtime_error&) {
          ++failed;
        }
      }
      for (unsigned i = 4; i < 10; ++i) {
        EXPECT_FALSE(streams[i]->payload.empty()) << caller;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(failed, 4 * 20);
}

TEST(SchedulerThreads, APredictorThatFailsEndsItsStreamsAndNothingElse) {
  for (const std::size_t threads : {1u, 2u, 5u}) {
    const auto failing = scheduler(threads, 20);
    for (int i = 0; i < 3; ++i) {
      EXPECT_THROW(encode(*failing, random_frame(5, 30, 1)), std::runtime_error);
    }
    const auto good = scheduler(threads);
    ModelledFrame frame = random_frame(5, 30, 1);
    RecordStream stream(frame, letters(), [](auto) { throw std::logic_error("meanwhile"); });
    EXPECT_THROW(good->run(stream, {}), std::logic_error);
    const std::vector<std::uint8_t> payload = encode(*good, random_frame(5, 30, 1));
    EXPECT_EQ(decode(*good, payload, frame.bytes), spelled(frame));
  }
}

// Any bytes are the code of some letters: a hostile archive may have its lanes as uneven as these.
TEST(SchedulerThreads, WhoWaitsForALongLaneOfOthersCanCancel) {
  std::vector<std::uint8_t> payload = {15};  // lanes - 1, then sizes of all lanes but the last
  payload.insert(payload.end(), 15, 1);
  std::mt19937 random(1);
  for (int i = 0; i < 200000; ++i) payload.push_back(static_cast<std::uint8_t>(random()));
  const auto both = scheduler(2);
  const Progress cancel = [](std::size_t bytes, std::uint64_t) {
    if (bytes > 100) throw Error(ErrorKind::kIo, "cancelled");
  };
  EXPECT_THROW(decode(*both, payload, 1000000, cancel), Error);
}

TEST(SchedulerThreads, ProgressMayCallTheSchedulerAgain) {
  const auto one = scheduler(1);
  const ModelledFrame frame = random_frame(3, 200, 1);
  const std::vector<std::uint8_t> payload = encode(*one, frame);
  int inner = 0;
  const Progress again = [&](std::size_t, std::uint64_t) {
    EXPECT_EQ(decode(*one, payload, frame.bytes), spelled(frame));
    ++inner;
  };
  EXPECT_EQ(decode(*one, payload, frame.bytes, again), spelled(frame));
  EXPECT_GT(inner, 0);
}

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
  const auto one = scheduler(1);
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
  const auto one = scheduler(1);
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

TEST(SchedulerThreads, PredictorsAreNoMoreThanSeatsWhateverTheLanes) {
  std::atomic<int> made = 0;
  Scheduler shared(
      [&] {
        ++made;
        return std::make_unique<Alphabet>();
      },
      {.seats = 3, .lanes = 32}, std::make_shared<ThreadPool>(3));
  std::vector<std::thread> callers;
  for (unsigned caller = 0; caller < 8; ++caller) {
    callers.emplace_back([&, caller] {
      for (unsigned i = 0; i < 60; ++i) {
        const ModelledFrame frame = random_frame(1 + (caller + i) % 40, 1 + i % 5, i);
        EXPECT_FALSE(encode(shared, frame).empty());
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_LE(made, 3);
}

// It was the end of whatever stream was the second one.
TEST(SchedulerThreads, WhereOnePredictorFitsAllWaitForIt) {
  std::atomic<int> made = 0;
  Scheduler shared(
      [&]() -> std::unique_ptr<lm::Predictor> {
        if (made == 1) throw std::bad_alloc();
        ++made;
        return std::make_unique<Alphabet>();
      },
      {.seats = 3, .lanes = 1}, std::make_shared<ThreadPool>(3));
  encode(shared, random_frame(1, 5, 1));
  std::vector<std::thread> callers;
  for (unsigned caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      std::vector<std::shared_ptr<Whole>> streams;
      std::vector<std::shared_ptr<Scheduler::Ticket>> tickets;
      for (unsigned i = 0; i < 20; ++i) {
        auto frame = std::make_unique<ModelledFrame>(random_frame(1, 1 + i % 30, i));
        streams.push_back(std::make_shared<Whole>(std::move(frame)));
        tickets.push_back(shared.submit(streams.back(), &streams));
      }
      for (unsigned i = 0; i < 20; ++i) {
        shared.wait(tickets[i], {});
        EXPECT_FALSE(streams[i]->payload.empty());
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(shared.predictors(), 1U);
}

TEST(SchedulerThreads, OneCallAfterAnotherNeedsOnePredictor) {
  const auto shared = scheduler(3);
  for (unsigned i = 0; i < 10; ++i) encode(*shared, random_frame(1, 1 + i, i));
  EXPECT_EQ(shared->predictors(), 1U);
}

// The last of a stream may be the last of the scheduler's model.
TEST(SchedulerThreads, NobodyHasAStreamThatIsDone) {
  const auto shared = scheduler(4);
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

TEST(RecordStream, TellsMeanwhileWhatIsRecorded) {
  for (const std::size_t threads : {1u, 2u, 5u}) {
    const auto shared = scheduler(threads);
    ModelledFrame frame = random_frame(5, 30, 1);
    std::vector<std::size_t> before(5);
    int calls = 0;
    RecordStream stream(frame, letters(), [&](std::span<const std::size_t> recorded) {
      ++calls;
      ASSERT_EQ(recorded.size(), before.size());
      for (std::size_t lane = 0; lane < before.size(); ++lane) {
        EXPECT_GE(recorded[lane], before[lane]);
        EXPECT_LT(recorded[lane], frame.lanes[lane].units.size());
      }
      before.assign(recorded.begin(), recorded.end());
    });
    shared->run(stream, {});
    EXPECT_GT(calls, 0);
  }
}

TEST(Distribution, TheInstructionSetReachesTheFrequencies) {
  const std::vector<exact::Isa>& here = exact::supported_isas();
  const std::array<float, 3> logits = {};
  for (const exact::Isa isa : {exact::Isa::kScalar, exact::Isa::kAvx2, exact::Isa::kNeon}) {
    lm::Distribution distribution;
    if (std::ranges::find(here, isa) == here.end()) {
      EXPECT_THROW(distribution.assign(logits, isa), Error);
    } else {
      distribution.assign(logits, isa);
      EXPECT_EQ(distribution.sum(0, 3), 3 * ((std::uint64_t{1} << 30) + 1));
    }
  }
}

}  // namespace
}  // namespace smll::codec
