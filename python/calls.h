// How a call from Python enters the C++ side: without the interpreter's lock, one at a time where
// an object has a state, and open to signals.
#pragma once

#include <pybind11/pybind11.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

namespace smll::python {

namespace py = pybind11;

// Signals and locks are looked at so often while something takes time.
inline constexpr std::chrono::milliseconds kTick{50};

// Of the thread that Python runs signal handlers in, as threading.main_thread() knows it.
inline std::atomic<unsigned long> main_thread{0};

inline bool on_main_thread() { return PyThread_get_thread_ident() == main_thread; }

// Of the innermost call that runs in this thread: whether it may handle signals.
inline thread_local bool handles_signals = false;

// Runs `work`, which takes the interpreter's lock or runs Python. When the interpreter ends, Python
// before 3.14 ends its other threads where they do that, by unwinding their stacks, and the C++
// side does not survive that: the thread rests here until the process is gone. Exceptions of C++
// and objects that own something have no place in `work`.
template <class Work>
auto guarded(const Work& work) {
  try {
    return work();
  } catch (...) {
    for (;;) std::this_thread::sleep_for(std::chrono::hours(1));
  }
}

// Lets other threads run Python while it lives.
class Released {
 public:
  Released()
      : before_(std::exchange(handles_signals, on_main_thread())), thread_(PyEval_SaveThread()) {}
  ~Released() {
    guarded([this] { PyEval_RestoreThread(thread_); });
    handles_signals = before_;
  }
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  bool before_;
  PyThreadState* thread_;
};

// Does the work while other threads may run Python. What Python code raises on the way is kept by
// readers and writers, to be thrown by later calls as well; pybind11 hands a C++ exception over
// only once, so each call gets one of its own.
template <class Work>
auto without_lock(const Work& work) {
  try {
    const Released released;
    return work();
  } catch (const py::error_already_set& raised) {
    PyErr_SetObject(raised.type().ptr(), raised.value().ptr());
    throw py::error_already_set();
  }
}

// Runs Python while it lives, from within a call that let go of the lock.
class WithPython {
 public:
  WithPython() : state_(guarded([] { return PyGILState_Ensure(); })) {}
  ~WithPython() { PyGILState_Release(state_); }
  WithPython(const WithPython&) = delete;
  WithPython& operator=(const WithPython&) = delete;

 private:
  PyGILState_STATE state_;
};

inline void run_signal_handlers() {
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

// Runs the handlers of signals that have come, and throws what they raise. To be called between
// steps of long work, as often as one likes.
inline void check_signals() {
  if (!handles_signals) return;
  thread_local std::chrono::steady_clock::time_point next;
  const auto now = std::chrono::steady_clock::now();
  if (now < next) return;
  next = now + kTick;
  const WithPython python;
  run_signal_handlers();
}

// object.name(arguments), for callbacks.
template <class... Arguments>
py::object call_method(const py::object& object, const char* name, const Arguments&... arguments) {
  const py::str method(name);
  PyObject* result = guarded([&] {
    return PyObject_CallMethodObjArgs(object.ptr(), method.ptr(), arguments.ptr()..., nullptr);
  });
  if (!result) throw py::error_already_set();
  return py::reinterpret_steal<py::object>(result);
}

// function(arguments), for callbacks.
template <class... Arguments>
void call(const py::object& function, const Arguments&... arguments) {
  PyObject* result = guarded(
      [&] { return PyObject_CallFunctionObjArgs(function.ptr(), arguments.ptr()..., nullptr); });
  if (!result) throw py::error_already_set();
  Py_DECREF(result);
}

// Makes calls on one object wait for each other. A call from within a call, as a file object's
// write() may make, gets a RuntimeError: it would wait for itself.
class CallLock {
 public:
  // Both need the interpreter's lock; lock() lets go of it while it waits.
  void lock() {
    check_reentry();
    while (!try_lock()) run_signal_handlers();
    owner_ = std::this_thread::get_id();
  }
  void unlock() {
    owner_ = std::thread::id();
    mutex_.unlock();
  }
  void check_reentry() const {
    if (owner_ != std::this_thread::get_id()) return;
    PyErr_SetString(PyExc_RuntimeError, "reentrant call: the file is in use by this thread");
    throw py::error_already_set();
  }

 private:
  bool try_lock() {
    if (mutex_.try_lock()) return true;
    const Released released;
    return mutex_.try_lock_for(kTick);
  }

  std::timed_mutex mutex_;
  std::atomic<std::thread::id> owner_{};
};

}  // namespace smll::python
