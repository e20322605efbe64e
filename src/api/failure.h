// What has failed once stays failed: half a state is nothing to go on from.
#pragma once

#include <exception>
#include <utility>

namespace smll::api {

class Failure {
 public:
  // The result of `work`. Once it has thrown, every later call throws the same and does no work.
  template <class Work>
  auto keep(Work&& work) {
    if (thrown_) std::rethrow_exception(thrown_);
    try {
      return std::forward<Work>(work)();
    } catch (...) {
      thrown_ = std::current_exception();
      throw;
    }
  }

 private:
  std::exception_ptr thrown_;
};

}  // namespace smll::api
