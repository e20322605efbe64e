// Python's bytes, strings and file objects as the C++ side has them, and back.
#pragma once

#include <pybind11/pybind11.h>

#include <cstring>
#include <string>
#include <utility>

#include "calls.h"
#include "smll/smll.h"

namespace smll::python {

namespace py = pybind11;

// A view on a bytes-like object's memory, held for the time of one call.
class BufferView {
 public:
  explicit BufferView(const py::object& object, int flags = PyBUF_SIMPLE) {
    if (PyObject_GetBuffer(object.ptr(), &buffer_, flags) != 0) throw py::error_already_set();
  }
  ~BufferView() { PyBuffer_Release(&buffer_); }
  BufferView(const BufferView&) = delete;
  BufferView& operator=(const BufferView&) = delete;

  ByteView view() const { return {data(), size()}; }
  // Of one that was made with PyBUF_WRITABLE.
  std::span<std::uint8_t> writable() const { return {data(), size()}; }
  bool read_only() const { return buffer_.readonly != 0; }

 private:
  std::uint8_t* data() const { return static_cast<std::uint8_t*>(buffer_.buf); }
  std::size_t size() const { return static_cast<std::size_t>(buffer_.len); }

  Py_buffer buffer_;
};

// Bytes that stay as they are, whatever other threads do meanwhile.
class StableBytes {
 public:
  explicit StableBytes(const py::object& object) : buffer_(object), view_(buffer_.view()) {
    if (buffer_.read_only()) return;
    copy_.assign(view_.begin(), view_.end());
    view_ = copy_;
  }
  ByteView view() const { return view_; }

 private:
  BufferView buffer_;
  Bytes copy_;
  ByteView view_;
};

inline py::bytes to_python(ByteView data) {
  return py::bytes(reinterpret_cast<const char*>(data.data()), data.size());
}

// For people to read; bytes that are no UTF-8 are spelled out.
inline py::str text(const std::string& text) {
  PyObject* decoded =
      PyUnicode_DecodeUTF8(text.data(), static_cast<py::ssize_t>(text.size()), "backslashreplace");
  if (!decoded) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(decoded);
}

// As os.fsdecode().
inline py::str path(const std::string& path) {
  PyObject* decoded =
      PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<py::ssize_t>(path.size()));
  if (!decoded) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(decoded);
}

// A position or size that a file object gave.
inline std::uint64_t offset(const py::object& number) {
  const unsigned long long value = PyLong_AsUnsignedLongLong(number.ptr());
  if (PyErr_Occurred()) throw py::error_already_set();
  return value;
}

// Reads from an object with read(size); seekable when it says so.
class PythonSource : public Source {
 public:
  explicit PythonSource(py::object file) : file_(std::move(file)) {
    seekable_ = py::hasattr(file_, "seekable") && py::bool_(call_method(file_, "seekable"));
    if (seekable_) base_ = offset(call_method(file_, "tell"));
  }

  std::size_t read(std::span<std::uint8_t> out) override {
    const WithPython python;
    const py::object part = call_method(file_, "read", py::int_(out.size()));
    if (part.is_none()) throw Error(ErrorKind::kIo, "the file is not ready to be read");
    const BufferView bytes(part);
    const ByteView view = bytes.view();
    if (view.size() > out.size()) {
      throw Error(ErrorKind::kIo, "the file gave more bytes than it was asked for");
    }
    if (!view.empty()) std::memcpy(out.data(), view.data(), view.size());
    return view.size();
  }

  bool seekable() const override { return seekable_; }

  void seek(std::uint64_t to) override {
    const WithPython python;
    call_method(file_, "seek", py::int_(base_ + to));
  }

  std::uint64_t size() const override {
    const WithPython python;
    const py::object here = call_method(file_, "tell");
    const std::uint64_t end = offset(call_method(file_, "seek", py::int_(0), py::int_(2)));
    call_method(file_, "seek", here);
    return end > base_ ? end - base_ : 0;
  }

 private:
  py::object file_;
  bool seekable_ = false;
  std::uint64_t base_ = 0;
};

// Writes to an object with write(bytes) and, where it has one, flush().
class PythonSink : public Sink {
 public:
  explicit PythonSink(py::object file) : file_(std::move(file)) {
    has_flush_ = py::hasattr(file_, "flush");
    is_raw_ = py::isinstance(file_, py::module_::import("io").attr("RawIOBase"));
  }

  void write(ByteView data) override {
    const WithPython python;
    while (!data.empty()) data = data.subspan(write_some(data));
  }

  void flush() override {
    const WithPython python;
    if (has_flush_) call_method(file_, "flush");
  }

 private:
  // A raw file may take less, and says None when it would have to wait; others return the size or
  // nothing.
  std::size_t write_some(ByteView data) {
    const py::object put = call_method(file_, "write", to_python(data));
    if (put.is_none() && !is_raw_) return data.size();
    if (put.is_none()) throw Error(ErrorKind::kIo, "the file is not ready to be written to");
    const py::ssize_t taken = PyNumber_AsSsize_t(put.ptr(), PyExc_OverflowError);
    if (PyErr_Occurred()) throw py::error_already_set();
    if (taken <= 0 || static_cast<std::size_t>(taken) > data.size()) {
      throw Error(ErrorKind::kIo, "the file did not take the bytes");
    }
    return static_cast<std::size_t>(taken);
  }

  py::object file_;
  bool has_flush_ = false;
  bool is_raw_ = false;
};

}  // namespace smll::python
