// Streams that share predictors.
#include "codec/scheduler.h"

#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <random>
#include <thread>

#include "codec/alphabet.h"
#include "codec/decode_stream.h"
#include "codec/model_coder.h"
#include "codec/record_stream.h"
#include "smll/error.h"

namespace smll::codec {
namespace {

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
