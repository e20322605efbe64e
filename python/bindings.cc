// The module smll._smll: the C++ API with as little Python as possible; python/smll/__init__.py is
// what users see.
#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstring>
#include <memory>
#include <optional>
#include <string>

#include "smll/explain.h"
#include "smll/models.h"
#include "smll/smll.h"

namespace py = pybind11;

namespace {

// A view on a bytes-like object's memory, held for the time of one call.
class BufferView {
 public:
  explicit BufferView(const py::object& object) {
    if (PyObject_GetBuffer(object.ptr(), &buffer_, PyBUF_SIMPLE) != 0)
      throw py::error_already_set();
  }
  ~BufferView() { PyBuffer_Release(&buffer_); }
  BufferView(const BufferView&) = delete;
  BufferView& operator=(const BufferView&) = delete;

  smll::ByteView view() const {
    return {static_cast<const std::uint8_t*>(buffer_.buf), static_cast<std::size_t>(buffer_.len)};
  }

 private:
  Py_buffer buffer_;
};

py::bytes to_python(smll::ByteView data) {
  return py::bytes(reinterpret_cast<const char*>(data.data()), data.size());
}

// Names of files may be any bytes; Python's strings hold them as os.fsdecode() gives them.
std::string from_file_name(const py::str& name) {
  PyObject* bytes = nullptr;
  if (!PyUnicode_FSConverter(name.ptr(), &bytes)) throw py::error_already_set();
  return py::reinterpret_steal<py::bytes>(bytes);
}

py::str to_file_name(const std::string& name) {
  PyObject* text =
      PyUnicode_DecodeFSDefaultAndSize(name.data(), static_cast<Py_ssize_t>(name.size()));
  if (!text) throw py::error_already_set();
  return py::reinterpret_steal<py::str>(text);
}

// Reads from an object with read(size); seekable when it says so.
class PythonSource : public smll::Source {
 public:
  explicit PythonSource(py::object file) : file_(std::move(file)) {
    seekable_ = py::hasattr(file_, "seekable") && file_.attr("seekable")().cast<bool>();
    if (seekable_) base_ = file_.attr("tell")().cast<std::uint64_t>();
  }

  std::size_t read(std::span<std::uint8_t> out) override {
    const py::gil_scoped_acquire gil;
    const py::object part = file_.attr("read")(out.size());
    if (part.is_none()) throw smll::Error(smll::ErrorKind::kIo, "the file is not ready to be read");
    const BufferView bytes(part);
    const smll::ByteView view = bytes.view();
    if (view.size() > out.size()) {
      throw smll::Error(smll::ErrorKind::kIo, "the file gave more bytes than it was asked for");
    }
    if (!view.empty()) std::memcpy(out.data(), view.data(), view.size());
    return view.size();
  }

  bool seekable() const override { return seekable_; }

  void seek(std::uint64_t offset) override {
    const py::gil_scoped_acquire gil;
    file_.attr("seek")(base_ + offset);
  }

  std::uint64_t size() const override {
    const py::gil_scoped_acquire gil;
    const py::object here = file_.attr("tell")();
    const auto end = file_.attr("seek")(0, 2).cast<std::uint64_t>();
    file_.attr("seek")(here);
    return end > base_ ? end - base_ : 0;
  }

 private:
  py::object file_;
  bool seekable_ = false;
  std::uint64_t base_ = 0;
};

// Writes to an object with write(bytes) and, where it has one, flush().
class PythonSink : public smll::Sink {
 public:
  explicit PythonSink(py::object file) : file_(std::move(file)) {}

  void write(smll::ByteView data) override {
    const py::gil_scoped_acquire gil;
    while (!data.empty()) {
      const py::object put = file_.attr("write")(to_python(data));
      // A raw file may take less; others return the size or nothing.
      const std::size_t taken = put.is_none() ? data.size() : put.cast<std::size_t>();
      if (taken == 0 || taken > data.size()) {
        throw smll::Error(smll::ErrorKind::kIo, "the file did not take the bytes");
      }
      data = data.subspan(taken);
    }
  }

  void flush() override {
    const py::gil_scoped_acquire gil;
    if (py::hasattr(file_, "flush")) file_.attr("flush")();
  }

 private:
  py::object file_;
};

smll::Model make_model(const py::str& model, const std::string& backend, const std::string& isa,
                       int threads, int window, bool learns, bool download) {
  smll::ModelOptions options;
  options.model = from_file_name(model);
  options.backend = smll::parse_backend(backend);
  options.isa = isa;
  options.threads = threads;
  if (window != 0) options.window = window;
  options.learns = learns;
  options.download = download;
  options.notice = [](const std::string& text) {
    const py::gil_scoped_acquire gil;
    py::module_::import("warnings").attr("warn")("smll: " + text);
  };
  return smll::Model(std::move(options));
}

smll::WriteOptions make_write_options(const std::string& experts, int lanes) {
  smll::WriteOptions options;
  options.experts = smll::parse_experts(experts);
  options.lanes = lanes;
  return options;
}

// Calls smll without the interpreter's lock. What Python code raises on the way is kept by readers
// and writers, to be thrown by later calls as well; pybind11 hands a C++ exception over only once,
// so each call gets one of its own.
template <class Call>
auto without_lock(Call&& call) {
  try {
    const py::gil_scoped_release released;
    return call();
  } catch (const py::error_already_set& raised) {
    PyErr_SetObject(raised.type().ptr(), raised.value().ptr());
    throw py::error_already_set();
  }
}

// A writer and the sink that it needs to outlive it.
class PythonWriter {
 public:
  PythonWriter(const smll::Model& model, py::object file, const std::string& experts, int lanes)
      : sink_(std::move(file)), writer_(model, make_write_options(experts, lanes), sink_) {}

  void write(const py::object& data) {
    const BufferView bytes(data);
    without_lock([&] { writer_.write(bytes.view()); });
  }
  void flush() {
    without_lock([&] { writer_.flush(); });
  }
  void finish() {
    without_lock([&] { writer_.finish(); });
  }

 private:
  PythonSink sink_;
  smll::Writer writer_;
};

class PythonReader {
 public:
  PythonReader(const smll::Model& model, py::object file)
      : source_(std::move(file)), reader_(model, smll::ReadOptions(), source_) {}

  py::bytes read(std::size_t size) {
    smll::Bytes out(size);
    const std::size_t got = without_lock([&] { return reader_.read(out); });
    return to_python(smll::ByteView(out).first(got));
  }

 private:
  PythonSource source_;
  smll::Reader reader_;
};

py::dict describe(const smll::Model& model) {
  smll::ModelInfo info;
  {
    const py::gil_scoped_release released;
    model.load();
    info = *model.info();
  }
  py::dict result;
  result["name"] = smll::printable(info.name);
  result["path"] = to_file_name(info.path);
  result["fingerprint"] = info.fingerprint;
  result["backend"] = smll::to_string(info.backend);
  result["isa"] = info.isa;
  result["arithmetic"] = info.arithmetic;
  return result;
}

// One tuple a token, in the order of _smll.pyi.
py::list explain(const smll::Model& model, const py::object& text, std::size_t guesses) {
  const BufferView bytes(text);
  std::vector<smll::TokenCost> costs;
  {
    const py::gil_scoped_release released;
    costs = smll::explain(model, bytes.view(), guesses);
  }
  py::list result;
  for (const smll::TokenCost& cost : costs) {
    py::list best;
    for (const smll::Guess& guess : cost.guesses) {
      best.append(py::make_tuple(py::bytes(guess.bytes), guess.probability));
    }
    result.append(py::make_tuple(py::bytes(cost.bytes), cost.bits, cost.model_bits,
                                 cost.context_bits, cost.rank, best));
  }
  return result;
}

py::tuple ablate(const smll::Model& model, const py::object& text) {
  const BufferView bytes(text);
  smll::Ablation ablation;
  {
    const py::gil_scoped_release released;
    ablation = smll::ablate(model, bytes.view());
  }
  py::list without;
  for (const auto& [expert, bits] : ablation.without) without.append(py::make_tuple(expert, bits));
  return py::make_tuple(ablation.bits, without);
}

const char* kind_name(smll::ErrorKind kind) {
  switch (kind) {
    case smll::ErrorKind::kData:
      return "data";
    case smll::ErrorKind::kUsage:
      return "usage";
    case smll::ErrorKind::kModel:
      return "model";
    case smll::ErrorKind::kIo:
      return "io";
    case smll::ErrorKind::kMemory:
      return "memory";
  }
  return "data";
}

void register_error(py::module_& module) {
  PYBIND11_CONSTINIT static py::gil_safe_call_once_and_store<py::object> stored;
  stored.call_once_and_store_result([&]() -> py::object {
    return py::exception<smll::Error>(module, "Error", PyExc_RuntimeError);
  });
  stored.get_stored().attr("__module__") = "smll";
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const smll::Error& error) {
      const py::object& type = stored.get_stored();
      const py::object value = type(error.what());
      value.attr("kind") = kind_name(error.kind());
      PyErr_SetObject(type.ptr(), value.ptr());
    }
  });
}

}  // namespace

PYBIND11_MODULE(_smll, module) {
  module.doc() = "The C++ side of smll.";
  module.attr("__version__") = smll::version();
  module.attr("COMPACT_LIMIT") = smll::kCompactLimit;
  register_error(module);

  py::class_<smll::Model>(module, "Model")
      .def(py::init(&make_model), py::arg("model"), py::arg("backend"), py::arg("isa"),
           py::arg("threads"), py::arg("window"), py::arg("learns"), py::arg("download"))
      .def("describe", &describe);

  py::class_<smll::Compressor>(module, "Compressor")
      .def(py::init([](const smll::Model& model, const std::string& experts, int lanes) {
             return std::make_unique<smll::Compressor>(model, make_write_options(experts, lanes));
           }),
           py::arg("model"), py::arg("experts"), py::arg("lanes"))
      .def("compress",
           [](const smll::Compressor& self, const py::object& data) {
             const BufferView bytes(data);
             smll::Bytes result;
             {
               const py::gil_scoped_release released;
               result = self.compress(bytes.view());
             }
             return to_python(result);
           })
      .def("decompress",
           [](const smll::Compressor& self, const py::object& data, std::uint64_t max_bytes) {
             const BufferView bytes(data);
             smll::Bytes result;
             {
               const py::gil_scoped_release released;
               result = self.decompress(bytes.view(), max_bytes);
             }
             return to_python(result);
           });

  py::class_<PythonWriter>(module, "Writer")
      .def(py::init<const smll::Model&, py::object, const std::string&, int>(), py::arg("model"),
           py::arg("file"), py::arg("experts"), py::arg("lanes"))
      .def("write", &PythonWriter::write)
      .def("flush", &PythonWriter::flush)
      .def("finish", &PythonWriter::finish);

  py::class_<PythonReader>(module, "Reader")
      .def(py::init<const smll::Model&, py::object>(), py::arg("model"), py::arg("file"))
      .def("read", &PythonReader::read);

  module.def("explain", &explain, py::arg("model"), py::arg("text"), py::arg("guesses"));
  module.def("ablate", &ablate, py::arg("model"), py::arg("text"));
  module.def("find_model", [](const py::str& name) {
    const std::string spec = from_file_name(name);
    std::string path;
    {
      const py::gil_scoped_release released;
      path = smll::find_model(spec);
    }
    return to_file_name(path);
  });
  module.def("pull_model", [](const py::str& name) {
    const std::string spec = from_file_name(name);
    std::string path;
    {
      const py::gil_scoped_release released;
      path = smll::pull_model(spec);
    }
    return to_file_name(path);
  });
  module.def("level", [](int level, const std::string& backend, std::optional<int> lanes) {
    smll::WriteOptions write;
    smll::ModelOptions model;
    smll::apply_level(level, write, model);
    model.backend = smll::parse_backend(backend);
    if (lanes) write.lanes = *lanes;
    return py::make_tuple(smll::to_string(write.experts), write.lanes, model.window,
                          model.learns && smll::can_learn(write, model));
  });
}
