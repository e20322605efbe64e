#include "codec/scheduler.h"

#include <algorithm>
#include <chrono>
#include <future>
#include <utility>

#include "smll/error.h"

namespace smll::codec {
namespace {

// Progress is called so often.
constexpr std::chrono::milliseconds kTick{20};
// Streams that take more together wait for each other, however many lanes are free.
constexpr std::uint64_t kMaxMemory = std::uint64_t{768} << 20;

Error cancelled() { return {ErrorKind::kIo, "cancelled"}; }

}  // namespace

class Scheduler::Ticket {
 public:
  explicit Ticket(std::shared_ptr<Stream> stream_in, const void* caller_in, bool whole_in)
      : stream(std::move(stream_in)),
        caller(caller_in),
        whole(whole_in),
        memory(stream->memory()) {}

  const std::shared_ptr<Stream> stream;
  const void* const caller;
  const bool whole;  // begin() and end() are to be called
  const std::uint64_t memory;
  std::atomic<bool> cancelled = false;

  // Guarded by the scheduler's mutex.
  bool done = false;
  std::size_t parts = 0;  // not ended yet
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

// `led` and `empty` are guarded by the mutex; the rest is the leader's.
struct Scheduler::Seat {
  bool led = false;
  bool empty = true;
  std::unique_ptr<lm::Predictor> predictor;
  std::unique_ptr<ThreadPool::Client> client;
  std::vector<Place> places;
  std::vector<lm::LaneInput> batch;

  std::size_t lanes() const {
    std::size_t sum = 0;
    for (const Place& place : places) sum += place.stream().lanes();
    return sum;
  }
};

Scheduler::Scheduler(MakePredictor make, const Size& size, std::shared_ptr<ThreadPool> pool)
    : make_(std::move(make)), pool_(std::move(pool)), lanes_at_once_(size.lanes) {
  for (std::size_t i = 0; i < size.seats; ++i) seats_.push_back(std::make_unique<Seat>());
}

// Nobody waits any more, so what is in line has been cancelled; threads of the pool see that.
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
  const auto line = std::ranges::find(lines_, caller, &Line::caller);
  if (line != lines_.end()) {
    line->tickets.push_back(ticket);
  } else {
    lines_.push_back({caller, {ticket}});
  }
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
  while (!ticket->done) {
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

// One with something to do that nobody leads, those in use first; the lock is held.
Scheduler::Seat* Scheduler::seat_to_lead() {
  Seat* idle = nullptr;
  for (const std::unique_ptr<Seat>& seat : seats_) {
    if (seat->led) continue;
    if (!seat->empty) return seat.get();
    if (!idle) idle = seat.get();
  }
  return lines_.empty() ? nullptr : idle;
}

// Leads the seat in a thread of the pool, if one is free, until it is empty and nobody waits in
// line; `first` is called there before. The lock is held.
bool Scheduler::call_leader(Seat& seat, std::function<void()> first) {
  const bool accepted = pool_->offer([this, &seat, first = std::move(first)] {
    if (first) first();
    while (pass(seat)) {
    }
    const std::lock_guard lock(mutex_);
    seat.led = false;
    seat.empty = true;
    --leaders_from_pool_;
    changed_.notify_all();
  });
  if (!accepted) return false;
  seat.led = true;
  ++leaders_from_pool_;
  return true;
}

// Feeds what sits there once. False when there is nothing. Who calls it leads.
bool Scheduler::pass(Seat& seat) {
  admit(seat);
  if (seat.places.empty()) return false;
  feed(seat);
  advance(seat);
  leave(seat);
  return true;
}

// What is in line sits down as far as there are lanes. Where some has to wait, another thread is
// called to lead a seat for it.
void Scheduler::admit(Seat& seat) {
  while (const std::shared_ptr<Ticket> ticket = next_for(seat)) begin(seat, ticket);
  const std::lock_guard lock(mutex_);
  seat.empty = seat.places.empty();
  if (lines_.empty()) return;
  const auto free =
      std::ranges::find_if(seats_, [](const auto& other) { return !other->led && other->empty; });
  if (free != seats_.end()) call_leader(**free, {});
}

// Takes a ticket out of line; null where none fits.
std::shared_ptr<Scheduler::Ticket> Scheduler::next_for(const Seat& seat) {
  const std::size_t lanes = seat.lanes();
  const std::lock_guard lock(mutex_);
  if (lines_.empty()) return nullptr;
  Line& line = lines_.front();
  const std::shared_ptr<Ticket> ticket = line.tickets.front();
  const bool fits = (lanes == 0 || lanes + ticket->stream->lanes() <= lanes_at_once_) &&
                    (memory_ == 0 || memory_ + ticket->memory <= kMaxMemory);
  if (!fits && !ticket->cancelled) return nullptr;
  memory_ += ticket->memory;
  line.tickets.pop_front();
  if (line.tickets.empty()) {
    lines_.pop_front();
  } else {
    lines_.splice(lines_.end(), lines_, lines_.begin());
  }
  return ticket;
}

void Scheduler::begin(Seat& seat, const std::shared_ptr<Ticket>& ticket) {
  bool needs_model = false;
  try {
    const auto check = [&](std::size_t, std::uint64_t) {
      if (ticket->cancelled) throw cancelled();
    };
    check(0, 0);
    needs_model = !ticket->whole || ticket->stream->begin(check);
  } catch (...) {
    ticket->error = std::current_exception();
  }
  if (!needs_model) return finish(ticket);
  find_leaders(seat.places.empty() ? ticket->stream->max_parts() : 1, ticket);
  sit(seat, ticket, 0);
}

// Seats and threads of the pool for all parts but the first, as far as there are any.
void Scheduler::find_leaders(std::size_t parts, const std::shared_ptr<Ticket>& ticket) {
  const auto shared = std::make_shared<std::promise<void>>();
  const std::shared_future<void> lanes_are_shared = shared->get_future().share();
  std::size_t found = 1;
  {
    const std::lock_guard lock(mutex_);
    for (const std::unique_ptr<Seat>& seat : seats_) {
      if (found == parts) break;
      if (seat->led || !seat->empty) continue;
      const auto first = [this, lanes_are_shared, ticket, part = found, &seat = *seat] {
        lanes_are_shared.wait();
        sit(seat, ticket, part);
      };
      if (!call_leader(*seat, first)) break;
      ++found;
    }
    ticket->parts = found;
  }
  try {
    ticket->stream->share_lanes(found);
  } catch (...) {
    set_error(*ticket, std::current_exception());
  }
  shared->set_value();
}

void Scheduler::sit(Seat& seat, const std::shared_ptr<Ticket>& ticket, std::size_t part) {
  seat.places.push_back({ticket, part});
  attempt(seat.places.back(), [&] {
    if (!seat.predictor) {
      seat.predictor = make_();
      seat.client = std::make_unique<ThreadPool::Client>(pool_);
    }
    if (ticket->cancelled) throw cancelled();
    ticket->stream->open(part, *seat.predictor);
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
  std::size_t used = 0;
  for (Place& place : seat.places) {
    const std::size_t before = seat.batch.size();
    attempt(place, [&] {
      if (place.ticket->cancelled) throw cancelled();
      place.stream().collect(place.part, *predictor, {std::max<std::size_t>(rows, 1), company, used},
                             seat.batch);
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

// Streams go on with the answers side by side: they have nothing in common.
void Scheduler::advance(Seat& seat) {
  const auto advance = [&](std::size_t i, int) {
    Place& place = seat.places[i];
    attempt(place, [&] { place.stream().advance(place.part); });
  };
  if (seat.client) {
    seat.client->run(seat.places.size(), advance);
  }
  for (Place& place : seat.places) {
    attempt(place,
            [&] { place.ended = place.stream().close(place.part, *seat.predictor); });
    if (place.error && seat.predictor) place.stream().close_all(place.part, *seat.predictor);
  }
}

// Parts that ended or failed.
void Scheduler::leave(Seat& seat) {
  std::vector<std::shared_ptr<Ticket>> done;
  {
    const std::lock_guard lock(mutex_);
    for (const Place& place : seat.places) {
      if ((place.ended || place.error) && --place.ticket->parts == 0) done.push_back(place.ticket);
    }
  }
  std::erase_if(seat.places, [](const Place& place) { return place.ended || place.error; });
  const auto finish_one = [&](std::size_t i, int) { finish(done[i]); };
  if (seat.client) {
    seat.client->run(done.size(), finish_one);
  } else {
    for (std::size_t i = 0; i < done.size(); ++i) finish_one(i, 0);
  }
}

void Scheduler::finish(const std::shared_ptr<Ticket>& ticket) {
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
  ticket->done = true;
  changed_.notify_all();
}

}  // namespace smll::codec
