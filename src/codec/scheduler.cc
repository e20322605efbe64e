#include "codec/scheduler.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <new>
#include <utility>

#include "smll/error.h"

namespace smll::codec {
namespace {

// Progress is called so often.
constexpr std::chrono::milliseconds kTick{20};
// What another predictor must leave for the lanes to open.
constexpr std::size_t kSpareMemory = std::size_t{32} << 20;

Error cancelled() { return {ErrorKind::kIo, "cancelled"}; }

}  // namespace

class Scheduler::Ticket {
 public:
  explicit Ticket(std::shared_ptr<Stream> stream_in, const void* caller_in, bool whole_in)
      : stream(std::move(stream_in)),
        caller(caller_in),
        whole(whole_in),
        lanes(std::max<std::size_t>(stream->lanes(), 1)),
        memory(stream->memory()) {}

  const std::shared_ptr<Stream> stream;
  const void* const caller;
  const bool whole;  // begin() and end() are to be called
  const std::size_t lanes;
  const std::uint64_t memory;
  std::atomic<bool> cancelled = false;

  // Of whoever leads its seat.
  bool begun = false;

  // Guarded by the scheduler's mutex.
  bool done = false;
  bool shared = false;       // share_lanes() was called
  std::size_t parts = 0;     // not ended yet
  std::exception_ptr error;  // the first one
};

// A part of a stream at its seat.
struct Scheduler::Place {
  std::shared_ptr<Ticket> ticket;
  std::size_t part;
  std::size_t fed = 0;  // tokens of its lanes, in this pass
  bool ended = false;
  std::exception_ptr error = nullptr;

  Stream& stream() const { return *ticket->stream; }
};

// `led`, `empty` and `given_up` are guarded by the mutex; the rest is the leader's. There is room
// for all places from the start: a leader that failed for want of memory would leave its seat to
// nobody.
struct Scheduler::Seat {
  explicit Seat(std::size_t lanes) {
    places.reserve(lanes);
    alone.reserve(lanes);
    done.reserve(lanes);
  }

  bool led = false;
  bool empty = true;
  bool given_up = false;  // there was no memory for its predictor
  std::unique_ptr<lm::Predictor> predictor;
  std::unique_ptr<ThreadPool::Client> client;
  std::vector<Place> places;
  std::vector<lm::LaneInput> batch;
  std::vector<Place*> alone;                  // of streams in one part
  std::vector<std::shared_ptr<Ticket>> done;  // to be finished

  std::size_t lanes() const {
    std::size_t sum = 0;
    for (const Place& place : places) sum += std::max<std::size_t>(place.stream().lanes(), 1);
    return sum;
  }
  std::size_t rows() const {
    std::size_t sum = 0;
    for (const Place& place : places) sum += place.stream().rows();
    return sum;
  }
};

Scheduler::Scheduler(MakePredictor make, const Size& size, std::shared_ptr<ThreadPool> pool)
    : make_(std::move(make)),
      pool_(std::move(pool)),
      lanes_at_once_(size.lanes),
      max_memory_(size.memory),
      spread_(size.spread) {
  for (std::size_t i = 0; i < size.seats; ++i) {
    seats_.push_back(std::make_unique<Seat>(std::max<std::size_t>(size.lanes, 1)));
  }
}

std::unique_ptr<Scheduler> Scheduler::without_model(int threads) {
  const auto none = []() -> std::unique_ptr<lm::Predictor> {
    throw Error(ErrorKind::kModel, "there is no language model");
  };
  std::shared_ptr<ThreadPool> pool = shared_pool(threads);
  const Size size{static_cast<std::size_t>(pool->threads()), 1};
  return std::make_unique<Scheduler>(none, size, std::move(pool));
}

// Nobody waits any more, so nothing is in line; threads of the pool see that.
Scheduler::~Scheduler() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return leaders_from_pool_ == 0; });
}

std::shared_ptr<Scheduler::Ticket> Scheduler::submit(std::shared_ptr<Stream> stream,
                                                     const void* caller) {
  return enqueue(std::move(stream), caller, true);
}

std::shared_ptr<Scheduler::Ticket> Scheduler::enqueue(std::shared_ptr<Stream> stream,
                                                      const void* caller, bool whole) {
  auto ticket = std::make_shared<Ticket>(std::move(stream), caller, whole);
  const std::lock_guard lock(mutex_);
  line_.push(ticket);
  changed_.notify_all();
  return ticket;
}

void Scheduler::run(Stream& stream, const Progress& progress) {
  // Its owner waits until nobody uses it any more.
  wait(enqueue(std::shared_ptr<Stream>(&stream, [](Stream*) {}), &stream, false), progress);
}

void Scheduler::cancel(const std::shared_ptr<Ticket>& ticket) {
  ticket->cancelled = true;
  ticket->stream->stop();
}

void Scheduler::wait(const std::shared_ptr<Ticket>& ticket, const Progress& progress) {
  std::exception_ptr thrown;
  auto next = std::chrono::steady_clock::now();
  const auto tell = [&](std::unique_lock<std::mutex>& lock) {
    const auto now = std::chrono::steady_clock::now();
    if (!progress || thrown || now < next) return;
    next = now + kTick;
    lock.unlock();
    try {
      progress(ticket->stream->bytes(), ticket->stream->tokens());
    } catch (...) {
      thrown = std::current_exception();
      cancel(ticket);
    }
    lock.lock();
  };
  std::unique_lock lock(mutex_);
  for (;;) {
    if (ticket->cancelled) withdraw(ticket);
    if (ticket->done) break;
    if (Seat* seat = seat_to_lead()) {
      seat->led = true;
      lock.unlock();
      {
        const ThreadPool::Lead lead(*pool_);
        pass(*seat);
      }
      lock.lock();
      seat->led = false;
      seat->empty = seat->places.empty();
      if (ticket->done || progress) changed_.notify_all();
    } else {
      changed_.wait_for(lock, kTick);
    }
    tell(lock);
  }
  lock.unlock();
  if (thrown) std::rethrow_exception(thrown);
  if (ticket->error) std::rethrow_exception(ticket->error);
}

// Takes a cancelled ticket out of line, where it may have had to wait long; the lock is held.
void Scheduler::withdraw(const std::shared_ptr<Ticket>& ticket) {
  if (!line_.remove(ticket)) return;
  ticket->error = std::make_exception_ptr(cancelled());
  ticket->done = true;
  changed_.notify_all();
}

// One with something to do that nobody leads, those in use first, in turn: streams whose owners do
// something else sit in some. The lock is held.
Scheduler::Seat* Scheduler::seat_to_lead() {
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    Seat* const seat = seats_[(next_seat_ + i) % seats_.size()].get();
    if (seat->led || seat->empty) continue;
    next_seat_ = (next_seat_ + i + 1) % seats_.size();
    return seat;
  }
  return has_memory_for_next() ? empty_seat() : nullptr;
}

// One that nobody leads, with a predictor if there is one. The lock is held.
Scheduler::Seat* Scheduler::empty_seat() const {
  Seat* found = nullptr;
  for (const auto& seat : seats_) {
    if (seat->led || !seat->empty || seat->given_up) continue;
    if (seat->predictor) return seat.get();
    if (!found) found = seat.get();
  }
  return found;
}

// Whether who is in front of the line could sit down in an empty seat; the lock is held.
bool Scheduler::has_memory_for_next() const {
  if (line_.empty()) return false;
  return memory_ == 0 || memory_ + line_.front()->memory <= max_memory_;
}

// Leads the seat in a thread of the pool, if one is free, until it is empty and nobody waits in
// line; the part of the ticket, if there is one, sits down first. The lock is held.
bool Scheduler::call_leader(Seat& seat, std::shared_ptr<Ticket> ticket, std::size_t part) {
  bool accepted = false;
  try {
    accepted = pool_->offer([this, &seat, ticket = std::move(ticket), part]() mutable {
      if (ticket) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return ticket->shared; });
        lock.unlock();
        sit(seat, std::move(ticket), part);
      }
      while (pass(seat)) {
      }
      const std::lock_guard lock(mutex_);
      seat.led = false;
      seat.empty = true;
      --leaders_from_pool_;
      changed_.notify_all();
    });
  } catch (const std::bad_alloc&) {
    // Who is there goes on without help.
  }
  if (!accepted) return false;
  seat.led = true;
  ++leaders_from_pool_;
  return true;
}

// Feeds what sits there once. False when there is nothing, nor anything in line that could sit
// down. Who calls it leads. Throws nothing: what goes wrong is a stream's.
bool Scheduler::pass(Seat& seat) {
  const bool admitted = admit(seat);
  if (seat.places.empty()) return admitted;
  feed(seat);
  advance(seat);
  leave(seat);
  return true;
}

// What is in line sits down as far as there are lanes; no more at once, since some may need no lane
// and who leads has a stream of its own to come back to. Where some has to wait, another thread is
// called to lead a seat for it. False when there was nothing.
bool Scheduler::admit(Seat& seat) {
  std::size_t count = 0;
  for (; count < std::max<std::size_t>(lanes_at_once_, 1); ++count) {
    std::shared_ptr<Ticket> ticket = next_for(seat);
    if (!ticket) break;
    if (ticket->whole && ticket->stream->works_before()) share_the_line();
    begin(seat, std::move(ticket));
  }
  {
    const std::lock_guard lock(mutex_);
    seat.empty = seat.places.empty();
  }
  share_the_line();
  return count > 0;
}

// Calls another leader for those in line.
void Scheduler::share_the_line() {
  const std::lock_guard lock(mutex_);
  if (!has_memory_for_next()) return;
  if (Seat* const free = empty_seat()) call_leader(*free, nullptr, 0);
}

// Takes a ticket out of line; null where none fits.
std::shared_ptr<Scheduler::Ticket> Scheduler::next_for(const Seat& seat) {
  const std::size_t lanes = seat.lanes();
  if (lanes > 0 && seat.predictor && seat.rows() >= seat.predictor->preferred_batch()) {
    return nullptr;
  }
  const std::lock_guard lock(mutex_);
  if (seat.given_up || !has_memory_for_next()) return nullptr;
  if (lanes > 0 && lanes + line_.front()->lanes > fair_share()) return nullptr;
  std::shared_ptr<Ticket> ticket = line_.pop();
  memory_ += ticket->memory;
  lanes_ += ticket->lanes;
  return ticket;
}

// Lanes of a seat, at most; the lock is held.
std::size_t Scheduler::fair_share() const {
  const bool all_in_use =
      std::ranges::none_of(seats_, [](const auto& seat) { return seat->empty && !seat->given_up; });
  if (!spread_ || all_in_use) return lanes_at_once_;
  return std::min(lanes_at_once_, (lanes_ + line_.lanes()) / seats_.size());
}

void Scheduler::begin(Seat& seat, std::shared_ptr<Ticket> ticket) {
  bool needs_model = false;
  try {
    const auto check = [&](std::size_t, std::uint64_t) {
      if (ticket->cancelled) throw cancelled();
    };
    check(0, 0);
    needs_model = ticket->begun || !ticket->whole || ticket->stream->begin(check);
    ticket->begun = true;
    if (needs_model && !equip_or_give_up(seat)) return put_back(ticket);
  } catch (...) {
    ticket->error = std::current_exception();
    needs_model = false;
  }
  if (!needs_model) return finish(std::move(ticket));
  find_leaders(seat.places.empty() ? ticket->stream->max_parts() : 1, ticket);
  sit(seat, std::move(ticket), 0);
}

// Seats and threads of the pool for all parts but the first, as far as there are any.
void Scheduler::find_leaders(std::size_t parts, const std::shared_ptr<Ticket>& ticket) {
  std::size_t found = 1;
  while (found < parts && find_leader(ticket, found)) ++found;
  {
    const std::lock_guard lock(mutex_);
    ticket->parts = found;
  }
  try {
    ticket->stream->share_lanes(found);
  } catch (...) {
    set_error(*ticket, std::current_exception());
  }
  if (found == 1) return;
  const std::lock_guard lock(mutex_);
  ticket->shared = true;
  changed_.notify_all();
}

// The predictor is made before it is known how many parts there are: where memory is scarce, fewer
// predictors can do.
bool Scheduler::find_leader(const std::shared_ptr<Ticket>& ticket, std::size_t part) {
  std::unique_lock lock(mutex_);
  Seat* const free = empty_seat();
  if (!free) return false;
  Seat& seat = *free;
  seat.led = true;
  lock.unlock();
  bool equipped = true;
  try {
    const auto spare = std::make_unique_for_overwrite<char[]>(kSpareMemory);
    equip(seat);
  } catch (...) {
    equipped = false;
  }
  lock.lock();
  if (equipped && call_leader(seat, ticket, part)) return true;
  seat.led = false;
  changed_.notify_all();
  return false;
}

void Scheduler::equip(Seat& seat) {
  if (!seat.client) seat.client = std::make_unique<ThreadPool::Client>(pool_);
  if (seat.predictor) return;
  ++predictors_;
  try {
    seat.predictor = make_();
  } catch (...) {
    --predictors_;
    throw;
  }
}

// Where there is no memory for a predictor more than others have, nobody sits there any more, and
// false is returned.
bool Scheduler::equip_or_give_up(Seat& seat) {
  try {
    equip(seat);
    return true;
  } catch (const std::bad_alloc&) {
    if (predictors_ == 0) throw;
  } catch (const Error& error) {
    // Of a device.
    if (error.kind() != ErrorKind::kMemory || predictors_ == 0) throw;
  }
  const std::lock_guard lock(mutex_);
  seat.given_up = true;
  return false;
}

// In line as the next one.
void Scheduler::put_back(const std::shared_ptr<Ticket>& ticket) {
  const std::lock_guard lock(mutex_);
  line_.push_front(ticket);
  memory_ -= ticket->memory;
  lanes_ -= ticket->lanes;
  changed_.notify_all();
}

void Scheduler::sit(Seat& seat, std::shared_ptr<Ticket> ticket, std::size_t part) {
  seat.places.push_back({std::move(ticket), part});
  Place& place = seat.places.back();
  attempt(place, [&] {
    if (place.ticket->cancelled) throw cancelled();
    place.stream().open(part, *seat.predictor);
  });
}

// What a part throws is its stream's, and ends it.
template <class Work>
void Scheduler::attempt(Place& place, Work&& work) {
  if (place.error) return;
  try {
    work();
  } catch (...) {
    place.error = std::current_exception();
    set_error(*place.ticket, place.error);
  }
}

void Scheduler::set_error(Ticket& ticket, std::exception_ptr error) {
  {
    const std::lock_guard lock(mutex_);
    if (!ticket.error) ticket.error = std::move(error);
  }
  ticket.cancelled = true;
  ticket.stream->stop();
}

void Scheduler::feed(Seat& seat) {
  lm::Predictor* const predictor = seat.predictor.get();
  seat.batch.clear();
  std::size_t rows = predictor ? predictor->preferred_batch() : 0;
  const std::size_t company = seat.lanes();
  std::size_t used = 0, left = seat.places.size();
  for (Place& place : seat.places) {
    const std::size_t share = std::max<std::size_t>(rows / left--, 1);
    const std::size_t before = seat.batch.size();
    attempt(place, [&] {
      if (place.ticket->cancelled) throw cancelled();
      place.stream().collect(place.part, *predictor, {share, company, used}, seat.batch);
    });
    if (place.error) seat.batch.resize(before);
    place.fed = 0;
    for (std::size_t i = before; i < seat.batch.size(); ++i) {
      place.fed += seat.batch[i].tokens.size();
    }
    rows -= std::min(rows, place.fed);
    used += place.fed;
  }
  if (seat.batch.empty()) return;
  const auto start = std::chrono::steady_clock::now();
  std::exception_ptr error;
  try {
    predictor->feed(seat.batch);
  } catch (...) {
    error = std::current_exception();
  }
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  for (Place& place : seat.places) {
    if (place.fed == 0 || place.error) continue;
    const double share = static_cast<double>(place.fed) / static_cast<double>(used);
    place.stream().add_model_seconds(place.part, time.count() * share);
    if (error) attempt(place, [&] { std::rethrow_exception(error); });
  }
}

// Streams go on with the answers side by side: they have nothing in common. One in several parts,
// of which a seat has one at most, may wait for another part, for which the pool may still owe it a
// thread: so it keeps none of the pool's busy.
void Scheduler::advance(Seat& seat) {
  const auto advance = [&](Place& place) {
    attempt(place, [&] { place.stream().advance(place.part); });
  };
  seat.alone.clear();
  for (Place& place : seat.places) {
    if (!place.ticket->shared) seat.alone.push_back(&place);
  }
  run_tasks(seat, seat.alone.size(), [&](std::size_t i, int) { advance(*seat.alone[i]); });
  for (Place& place : seat.places) {
    if (place.ticket->shared) advance(place);
  }
  for (Place& place : seat.places) {
    attempt(place, [&] { place.ended = place.stream().close(place.part, *seat.predictor); });
    if (place.error && seat.predictor) place.stream().close_all(place.part, *seat.predictor);
  }
}

// Parts that ended or failed.
void Scheduler::leave(Seat& seat) {
  {
    const std::lock_guard lock(mutex_);
    for (Place& place : seat.places) {
      if (!place.ended && !place.error) continue;
      if (--place.ticket->parts == 0) seat.done.push_back(std::move(place.ticket));
      place.ticket = nullptr;
    }
  }
  std::erase_if(seat.places, [](const Place& place) { return !place.ticket; });
  run_tasks(seat, seat.done.size(), [&](std::size_t i, int) { finish(std::move(seat.done[i])); });
  seat.done.clear();
}

template <class Body>
void Scheduler::run_tasks(Seat& seat, std::size_t count, const Body& body) {
  if (seat.client) {
    seat.client->run(count, std::cref(body));
  } else {
    for (std::size_t i = 0; i < count; ++i) body(i, 0);
  }
}

// Holds the ticket no longer than the one who waits for it: a stream must not end in a thread of
// the pool, since the last of a model's may go with it, and this scheduler with that.
void Scheduler::finish(std::shared_ptr<Ticket> ticket) {
  if (ticket->whole && !ticket->error) {
    try {
      ticket->stream->end([&](std::size_t, std::uint64_t) {
        if (ticket->cancelled) throw cancelled();
      });
    } catch (...) {
      ticket->error = std::current_exception();
    }
  }
  const std::lock_guard lock(mutex_);
  memory_ -= ticket->memory;
  lanes_ -= ticket->lanes;
  ticket->done = true;
  ticket = nullptr;
  changed_.notify_all();
}

}  // namespace smll::codec
