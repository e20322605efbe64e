// Who waits for a seat: those of one caller in their order, callers in turn.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <list>
#include <memory>
#include <utility>

namespace smll::codec {

// `Ticket` says whose it is, `caller`, and how many `lanes` it wants. Not thread-safe.
template <class Ticket>
class TurnLine {
 public:
  using Ptr = std::shared_ptr<Ticket>;

  bool empty() const { return lines_.empty(); }
  // Of all who wait.
  std::size_t lanes() const { return lanes_; }
  // Who is next; somebody must wait.
  const Ptr& front() const { return lines_.front().tickets.front(); }

  void push(Ptr ticket) {
    lanes_ += ticket->lanes;
    const auto line = of_caller(*ticket);
    if (line == lines_.end()) {
      lines_.push_back({ticket->caller, {std::move(ticket)}});
    } else {
      line->tickets.push_back(std::move(ticket));
    }
  }
  // As the next one.
  void push_front(Ptr ticket) {
    lanes_ += ticket->lanes;
    const auto line = of_caller(*ticket);
    if (line == lines_.end()) {
      lines_.push_front({ticket->caller, {std::move(ticket)}});
    } else {
      line->tickets.push_front(std::move(ticket));
      lines_.splice(lines_.begin(), lines_, line);
    }
  }
  // front(), and then it is another caller's turn.
  Ptr pop() {
    Line& line = lines_.front();
    Ptr ticket = std::move(line.tickets.front());
    line.tickets.pop_front();
    if (line.tickets.empty()) {
      lines_.pop_front();
    } else {
      lines_.splice(lines_.end(), lines_, lines_.begin());
    }
    lanes_ -= ticket->lanes;
    return ticket;
  }
  // False where it does not wait.
  bool remove(const Ptr& ticket) {
    const auto line = of_caller(*ticket);
    if (line == lines_.end() || std::erase(line->tickets, ticket) == 0) return false;
    if (line->tickets.empty()) lines_.erase(line);
    lanes_ -= ticket->lanes;
    return true;
  }

 private:
  struct Line {
    const void* caller;
    std::deque<Ptr> tickets;  // not empty
  };

  auto of_caller(const Ticket& ticket) {
    return std::ranges::find(lines_, ticket.caller, &Line::caller);
  }

  std::list<Line> lines_;
  std::size_t lanes_ = 0;
};

}  // namespace smll::codec
