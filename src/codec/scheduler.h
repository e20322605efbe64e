// Runs streams through predictors: as many lanes together as there are, since a predictor that is
// fed many lanes at once is several times as fast as one that is fed one.
//
// There are seats, each with a predictor. Whoever waits for a stream leads a seat, if one is free:
// it feeds all streams that sit there, its own and others', until its own is done; others who wait
// go on from there. Idle threads of the pool help, or lead seats of their own where one does not
// hold what waits. So threads and predictors are as many as were asked for, whoever calls.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "base/thread_pool.h"
#include "codec/stream.h"
#include "codec/turn_line.h"
#include "lm/predictor.h"

namespace smll::codec {

class Scheduler {
 public:
  using MakePredictor = std::function<std::unique_ptr<lm::Predictor>()>;

  struct Size {
    std::size_t seats = 1;   // predictors, at most
    std::size_t lanes = 32;  // that one runs at once, unless one stream has more
    // Streams that take more bytes together wait for each other, however many lanes are free.
    std::uint64_t memory = std::uint64_t{768} << 20;
    // Streams are spread over all seats before any is full: for predictors that wait for a device.
    bool spread = false;
  };

  // `make` is called when a predictor is needed; `pool`'s threads help and lead.
  Scheduler(MakePredictor make, const Size& size, std::shared_ptr<ThreadPool> pool);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Lanes that may run at once.
  std::size_t lanes() const { return seats_.size() * lanes_at_once_; }
  // As many as were needed so far.
  std::size_t predictors() const { return predictors_; }

  // A stream that was submitted.
  class Ticket;
  // begin() and end() are called by whoever leads. Streams of one `caller` begin in their order;
  // callers take turns.
  std::shared_ptr<Ticket> submit(std::shared_ptr<Stream> stream, const void* caller);
  // Returns when the stream is done; rethrows what it threw. `progress`, which is called in this
  // thread and while nothing is held, may throw: then the stream is cancelled first.
  void wait(const std::shared_ptr<Ticket>& ticket, const Progress& progress);
  // The same for a stream alone, whose begin() was called; end() is left to the caller, too.
  void run(Stream& stream, const Progress& progress);

  // For streams that need no model: their work is done by up to `threads` threads.
  static std::unique_ptr<Scheduler> without_model(int threads);

  // Ends a stream that nobody waits for. To be waited for all the same, also one that never began.
  static void cancel(const std::shared_ptr<Ticket>& ticket);

 private:
  struct Seat;
  struct Place;
  std::shared_ptr<Ticket> enqueue(std::shared_ptr<Stream> stream, const void* caller, bool whole);
  void withdraw(const std::shared_ptr<Ticket>& ticket);
  Seat* seat_to_lead();
  Seat* empty_seat() const;
  bool has_memory_for_next() const;
  bool call_leader(Seat& seat, std::shared_ptr<Ticket> ticket, std::size_t part);
  bool pass(Seat& seat);
  bool admit(Seat& seat);
  void share_the_line();
  std::shared_ptr<Ticket> next_for(const Seat& seat);
  std::size_t fair_share() const;
  void begin(Seat& seat, std::shared_ptr<Ticket> ticket);
  void find_leaders(std::size_t parts, const std::shared_ptr<Ticket>& ticket);
  bool find_leader(const std::shared_ptr<Ticket>& ticket, std::size_t part);
  void equip(Seat& seat);
  bool equip_or_give_up(Seat& seat);
  void put_back(const std::shared_ptr<Ticket>& ticket);
  void sit(Seat& seat, std::shared_ptr<Ticket> ticket, std::size_t part);
  template <class Work>
  void attempt(Place& place, Work&& work);
  void set_error(Ticket& ticket, std::exception_ptr error);
  void feed(Seat& seat);
  void advance(Seat& seat);
  void leave(Seat& seat);
  template <class Body>
  void run_tasks(Seat& seat, std::size_t count, const Body& body);
  void finish(std::shared_ptr<Ticket> ticket);

  const MakePredictor make_;
  const std::shared_ptr<ThreadPool> pool_;
  const std::size_t lanes_at_once_;
  const std::uint64_t max_memory_;
  const bool spread_;
  std::atomic<std::size_t> predictors_ = 0;
  std::mutex mutex_;  // of what follows, of tickets' states and of who leads
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Seat>> seats_;
  TurnLine<Ticket> line_;      // who waits to sit down
  std::size_t next_seat_ = 0;  // to be led, where several could be
  std::size_t leaders_from_pool_ = 0;
  // Of the streams that sit or are being begun.
  std::uint64_t memory_ = 0;
  std::size_t lanes_ = 0;
};

}  // namespace smll::codec
