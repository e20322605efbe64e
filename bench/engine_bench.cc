// Speed of the exact engine alone: prefill, and decode of 1 to 32 lanes, on each instruction set of
// this machine.
//
//   engine_bench MODEL.gguf [--context N] [options of Google Benchmark]
//
// A benchmark's name tells its work: prefill/avx2/threads:2 or decode/avx2/threads:2/lanes:32. Its
// counters:
//   tokens/s   tokens fed a second, logits for each of them included
//   of_peak    share of the int8 multiply-adds that the threads could do at best (see int8_peak.h)
//   NAME%      share of the time that one kind of work took
// --context N: positions in each lane's cache before the timing starts (0). Filling 32 of them
// takes its time.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "int8_peak.h"
#include "lm/exact/engine.h"
#include "smll/error.h"

namespace {

using smll::Token;
using smll::exact::Engine;
using smll::exact::Isa;
using smll::exact::LaneTokens;

struct Setup {
  std::shared_ptr<const smll::weights::Weights> model;
  int context;
};

// What one benchmark does: `length` tokens to each lane, `step` at a time.
struct Work {
  Isa isa;
  double peak;  // int8 multiply-adds a second of one thread, or 0
  int threads;
  int lanes;
  int length;
  int step;
};

// Any tokens do: the work does not depend on them.
std::vector<Token> some_tokens(std::size_t count, std::size_t vocabulary) {
  std::vector<Token> tokens(count);
  std::uint32_t x = 1;
  for (Token& token : tokens) {
    x = x * 1664525 + 1013904223;
    token = static_cast<Token>((x >> 8) % vocabulary);
  }
  return tokens;
}

// Multiply-adds of the weights for one token; attention's are not counted.
double work_per_token(const smll::weights::Weights& model) {
  auto size = [](const smll::weights::PackedMatrix& m) {
    return static_cast<double>(m.outputs) * m.blocks * smll::exact::kBlock;
  };
  double sum = size(model.head());
  for (const auto& layer : model.layers()) {
    const auto& m = layer.matrices;
    for (const auto* matrix : {&m.query, &m.key, &m.value, &m.output, &m.gate, &m.up, &m.down}) {
      sum += size(*matrix);
    }
  }
  return sum;
}

void ignore(std::size_t, std::size_t, std::span<const float>, int) {}

void feed(Engine& engine, int lanes, std::span<const Token> tokens) {
  std::vector<LaneTokens> batch;
  for (int lane = 0; lane < lanes; ++lane) batch.push_back({lane, tokens});
  engine.feed(batch, ignore);
}

void run(benchmark::State& state, const Setup& setup, const Work& work) {
  Engine engine(setup.model, {.isa = work.isa, .threads = work.threads, .row_order = {}});
  const std::vector<Token> tokens =
      some_tokens(std::max(work.length, setup.context), engine.rows());
  for (auto _ : state) {
    state.PauseTiming();
    engine.reset(work.lanes);
    feed(engine, work.lanes, std::span(tokens).first(setup.context));
    engine.reset_times();
    state.ResumeTiming();
    for (int i = 0; i < work.length; i += work.step) {
      feed(engine, work.lanes, std::span(tokens).subspan(i, work.step));
    }
  }
  const double fed = static_cast<double>(state.iterations()) * work.lanes * work.length;
  state.counters["tokens/s"] = benchmark::Counter(fed, benchmark::Counter::kIsRate);
  if (work.peak > 0) {
    state.counters["of_peak"] =
        benchmark::Counter(fed * work_per_token(*setup.model) / (work.peak * work.threads),
                           benchmark::Counter::kIsRate);
  }
  double total = 0;
  for (const std::uint64_t time : engine.times()) total += static_cast<double>(time);
  for (std::size_t op = 0; op < engine.times().size(); ++op) {
    state.counters[std::string(op_name(static_cast<smll::exact::Op>(op))) + "%"] =
        100.0 * static_cast<double>(engine.times()[op]) / total;
  }
}

void add(const std::string& name, const Setup& setup, const Work& work) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State& state) { run(state, setup, work); })
      ->UseRealTime()
      ->Unit(benchmark::kMillisecond);
}

void add_all(const Setup& setup) {
  const int all = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  for (const Isa isa : smll::exact::supported_isas()) {
    const double peak = smll::bench::int8_peak(isa);
    const std::vector<int> counts = all == 1 ? std::vector{1} : std::vector{1, all};
    for (const int threads : counts) {
      const std::string set =
          std::string("/") + isa_name(isa) + "/threads:" + std::to_string(threads);
      // Scalar code is the definition, not meant to be fast: enough to see that it ends.
      const bool fast = isa != Isa::kScalar;
      const int prompt = fast ? 512 : 33;
      add("prefill" + set, setup, {isa, peak, threads, 1, prompt, prompt});
      for (const int lanes : {1, 4, 8, 16, 32}) {
        if (!fast && lanes > 1) break;
        add("decode" + set + "/lanes:" + std::to_string(lanes), setup,
            {isa, peak, threads, lanes, fast ? 16 : 2, 1});
      }
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  Setup setup{nullptr, 0};
  const bool has_context = argc == 4 && std::strcmp(argv[2], "--context") == 0;
  if (has_context) setup.context = std::atoi(argv[3]);
  if ((argc != 2 && !has_context) || setup.context < 0) {
    std::fprintf(stderr, "usage: engine_bench MODEL.gguf [--context N] [--benchmark_...]\n");
    return 2;
  }
  try {
    setup.model = smll::weights::Weights::load(argv[1], {}, 0);
    add_all(setup);
    benchmark::RunSpecifiedBenchmarks();
  } catch (const smll::Error& error) {
    std::fprintf(stderr, "engine_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
