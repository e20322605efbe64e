// The module smll._smll: the C++ API with as little Python as possible; python/smll/__init__.py is
// what users see.
#include <pybind11/functional.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "calls.h"
#include "dictionary.h"
#include "objects.h"
#include "smll/explain.h"
#include "smll/models.h"
#include "smll/smll.h"

namespace py = pybind11;

namespace {

using namespace smll::python;

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

PYBIND11_CONSTINIT py::gil_safe_call_once_and_store<py::object> error_type;

py::object error_object(const smll::Error& error) {
  py::object value = error_type.get_stored()(text(error.what()));
  value.attr("kind") = kind_name(error.kind());
  return value;
}

void register_error(py::module_& module) {
  error_type.call_once_and_store_result([&]() -> py::object {
    return py::exception<smll::Error>(module, "Error", PyExc_RuntimeError);
  });
  const py::object& type = error_type.get_stored();
  type.attr("__module__") = "smll";
  type.attr("index") = py::none();
  py::register_exception_translator([](std::exception_ptr thrown) {
    try {
      if (thrown) std::rethrow_exception(thrown);
    } catch (const smll::Error& error) {
      PyErr_SetObject(error_type.get_stored().ptr(), error_object(error).ptr());
    }
  });
}

smll::Model make_model(const std::string& model, const std::string& backend, const std::string& isa,
                       const std::string& device, int threads, int window, bool learns,
                       bool download, const std::optional<smll::Dictionary>& dictionary) {
  smll::ModelOptions options;
  options.model = model;
  options.backend = smll::parse_backend(backend);
  options.isa = isa;
  options.device = device;
  options.threads = threads;
  if (window != 0) options.window = window;
  options.learns = learns;
  options.download = download;
  options.dictionary = dictionary;
  options.notice = [](const std::string& text) {
    const WithPython python;
    call_method(py::module_::import("warnings"), "warn", smll::python::text("smll: " + text));
  };
  return smll::Model(std::move(options));
}

void signal_check(const smll::Stats& /*unused*/) { check_signals(); }

smll::WriteOptions make_write_options(const std::string& experts, int lanes) {
  smll::WriteOptions options;
  options.experts = smll::parse_experts(experts);
  options.lanes = lanes;
  options.progress = signal_check;
  return options;
}

// max_bytes, max_memory, max_seconds of smll::Limits.
using LimitsTuple = std::tuple<std::uint64_t, std::uint64_t, double>;

smll::Limits make_limits(const LimitsTuple& limits) {
  return {std::get<0>(limits), std::get<1>(limits), std::get<2>(limits)};
}

// start, length
using RangeTuple = std::tuple<std::uint64_t, std::uint64_t>;

smll::ReadOptions make_read_options(const RangeTuple& range, const LimitsTuple& limits) {
  smll::ReadOptions options;
  static_cast<smll::Limits&>(options) = make_limits(limits);
  const auto [start, length] = range;
  if (start != 0 || length != UINT64_MAX) options.range = smll::Range{start, length};
  options.progress = signal_check;
  return options;
}

// Compressing and decompressing in memory; any number of calls at once.
py::bytes compress(const smll::Compressor& self, const py::object& data) {
  const StableBytes bytes(data);
  smll::Bytes result;
  {
    const Released released;
    result = self.compress(bytes.view());
  }
  return to_python(result);
}

py::bytes decompress(const smll::Compressor& self, const py::object& data,
                     const LimitsTuple& limits) {
  const StableBytes bytes(data);
  smll::Bytes result;
  {
    const Released released;
    result = self.decompress(bytes.view(), make_limits(limits));
  }
  return to_python(result);
}

// Many at once: bytes, or the Error in their place. The views are of bytes-like objects.
class ManyBytes {
 public:
  explicit ManyBytes(const py::list& objects) {
    for (const py::handle object : objects) {
      views_.push_back(bytes_.emplace_back(py::reinterpret_borrow<py::object>(object)).view());
    }
  }
  std::span<const smll::ByteView> views() const { return views_; }

 private:
  std::deque<StableBytes> bytes_;
  std::vector<smll::ByteView> views_;
};

// Calls progress(items, bytes) of Python, unless it is None: at the first item, at the last one,
// and now and then between, since other threads may be slow to give the interpreter's lock. Counts
// the bytes of `side`, those of the items as they were given.
class ManyProgress {
 public:
  ManyProgress(const py::object& progress, std::size_t items, std::uint64_t smll::Stats::*side)
      : progress_(progress), items_(items), side_(side) {}

  void operator()(const smll::Stats& stats) {
    check_signals();
    if (progress_.is_none() || stats.items == told_) return;
    const auto now = std::chrono::steady_clock::now();
    if (stats.items != items_ && now < next_) return;
    told_ = stats.items;
    next_ = now + kTick;
    const WithPython python;
    call(progress_, py::int_(stats.items), py::int_(stats.*side_));
  }

 private:
  const py::object& progress_;
  const std::size_t items_;
  std::uint64_t smll::Stats::*const side_;
  std::uint64_t told_ = 0;
  std::chrono::steady_clock::time_point next_;
};

py::list results_list(std::vector<smll::Result> results) {
  py::list list(results.size());
  for (std::size_t i = 0; i < results.size(); ++i) {
    const smll::Bytes bytes = std::move(results[i].bytes);  // not in memory twice
    list[i] = results[i].error ? error_object(*results[i].error) : to_python(bytes);
  }
  return list;
}

py::list compress_many(const smll::Compressor& self, const py::list& texts,
                       const py::object& progress) {
  const ManyBytes bytes(texts);
  ManyProgress told(progress, bytes.views().size(), &smll::Stats::raw_bytes);
  std::vector<smll::Result> results;
  {
    const Released released;
    results = self.compress_many(bytes.views(), std::ref(told));
  }
  return results_list(std::move(results));
}

py::list decompress_many(const smll::Compressor& self, const py::list& archives,
                         const LimitsTuple& limits, const py::object& progress) {
  const ManyBytes bytes(archives);
  ManyProgress told(progress, bytes.views().size(), &smll::Stats::archive_bytes);
  std::vector<smll::Result> results;
  {
    const Released released;
    results = self.decompress_many(bytes.views(), make_limits(limits), std::ref(told));
  }
  return results_list(std::move(results));
}

// A writer and the sink that it needs to outlive it. Calls of several threads wait for each other.
class PythonWriter {
 public:
  PythonWriter(const smll::Model& model, py::object file, const std::string& experts, int lanes)
      : sink_(std::move(file)), writer_(model, make_write_options(experts, lanes), sink_) {}

  // The bytes written.
  std::size_t write(const py::object& data) {
    const BufferView bytes(data);
    const std::lock_guard one_at_a_time(lock_);
    if (finished_) throw py::value_error("the file is closed");
    without_lock([&] { writer_.write(bytes.view()); });
    written_ += bytes.view().size();
    return bytes.view().size();
  }
  void flush() {
    const std::lock_guard one_at_a_time(lock_);
    if (!finished_) without_lock([&] { writer_.flush(); });
  }
  void finish() {
    const std::lock_guard one_at_a_time(lock_);
    if (!std::exchange(finished_, true)) without_lock([&] { writer_.finish(); });
  }
  std::uint64_t tell() const { return written_; }
  // RuntimeError from within another call in this thread.
  void check_reentry() const { lock_.check_reentry(); }

 private:
  PythonSink sink_;
  smll::Writer writer_;
  CallLock lock_;
  std::uint64_t written_ = 0;
  bool finished_ = false;
};

// A reader and its source. Calls of several threads wait for each other.
class PythonReader {
 public:
  PythonReader(const smll::Model& model, py::object file, const RangeTuple& range,
               const LimitsTuple& limits)
      : source_(std::move(file)), reader_(model, make_read_options(range, limits), source_) {}

  std::size_t read_into(const py::object& buffer) {
    const BufferView out(buffer, PyBUF_WRITABLE);
    const std::lock_guard one_at_a_time(lock_);
    return without_lock([&] { return reader_.read(out.writable()); });
  }

 private:
  PythonSource source_;
  smll::Reader reader_;
  CallLock lock_;
};

// Start and size of each frame's data. Moves the file.
py::list frame_spans(py::object file) {
  PythonSource source(std::move(file));
  std::vector<smll::FrameSpan> spans;
  {
    const Released released;
    spans = smll::frame_spans(source);
  }
  py::list result;
  for (const smll::FrameSpan& span : spans) result.append(py::make_tuple(span.start, span.size));
  return result;
}

// Bytes that the archives in `file`, from its position on, decompress to. Moves the file.
std::uint64_t raw_size(py::object file) {
  PythonSource source(std::move(file));
  const Released released;
  const std::vector<smll::FrameSpan> spans = smll::frame_spans(source);
  return spans.empty() ? 0 : spans.back().start + spans.back().size;
}

py::dict describe(const smll::Model& model) {
  smll::ModelInfo info;
  {
    const Released released;
    model.load();
    info = *model.info();
  }
  py::dict result;
  result["name"] = smll::printable(info.name);
  result["path"] = path(info.path);
  result["fingerprint"] = info.fingerprint;
  result["backend"] = smll::to_string(info.backend);
  result["isa"] = info.isa;
  result["device"] = smll::printable(info.device);
  result["arithmetic"] = info.arithmetic;
  result["window"] = info.window;
  result["can_learn"] = info.no_learning.empty();
  result["architecture"] = smll::printable(info.facts.architecture);
  result["type"] = smll::printable(info.facts.type);
  result["licence"] = smll::printable(info.facts.licence);
  result["terms"] = smll::printable(info.facts.terms);
  result["source"] = smll::printable(info.facts.source);
  result["size"] = info.facts.size;
  result["parameters"] = info.facts.parameters;
  result["vocabulary"] = info.facts.vocabulary;
  result["trained_context"] = info.facts.trained_context;
  return result;
}

// One tuple a token, in the order of _smll.pyi.
py::list explain(const smll::Model& model, const py::object& text, std::size_t guesses) {
  const StableBytes bytes(text);
  std::vector<smll::TokenCost> costs;
  {
    const Released released;
    costs = smll::explain(model, bytes.view(), guesses, signal_check);
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
  const StableBytes bytes(text);
  smll::Ablation ablation;
  {
    const Released released;
    ablation = smll::ablate(model, bytes.view(), signal_check);
  }
  py::list without;
  for (const auto& [expert, bits] : ablation.without) without.append(py::make_tuple(expert, bits));
  return py::make_tuple(ablation.bits, without);
}

}  // namespace

PYBIND11_MODULE(_smll_of_main, module) {
  module.doc() = "The C++ side of smll.";
  module.attr("__version__") = smll::version();
  module.attr("DEFAULT_MAX_MEMORY") = smll::kDefaultMaxMemory;
  module.attr("COMPACT_LIMIT") = smll::kCompactLimit;
  register_error(module);

  smll::python::add_dictionary(module);

  py::class_<smll::Model>(module, "Model")
      .def(py::init(&make_model), py::arg("model"), py::arg("backend"), py::arg("isa"),
           py::arg("device"), py::arg("threads"), py::arg("window"), py::arg("learns"),
           py::arg("download"), py::arg("dictionary"))
      .def("describe", &describe);

  py::class_<smll::Compressor>(module, "Compressor")
      .def(py::init([](const smll::Model& model, const std::string& experts, int lanes) {
             return std::make_unique<smll::Compressor>(model, make_write_options(experts, lanes));
           }),
           py::arg("model"), py::arg("experts"), py::arg("lanes"))
      .def("compress", &compress)
      .def("decompress", &decompress)
      .def("compress_many", &compress_many, py::arg("texts"), py::arg("progress"))
      .def("decompress_many", &decompress_many, py::arg("archives"), py::arg("limits"),
           py::arg("progress"));

  py::class_<PythonWriter>(module, "Writer")
      .def(py::init<const smll::Model&, py::object, const std::string&, int>(), py::arg("model"),
           py::arg("file"), py::arg("experts"), py::arg("lanes"))
      .def("write", &PythonWriter::write)
      .def("tell", &PythonWriter::tell)
      .def("flush", &PythonWriter::flush)
      .def("finish", &PythonWriter::finish)
      .def("check_reentry", &PythonWriter::check_reentry);

  py::class_<PythonReader>(module, "Reader")
      .def(py::init<const smll::Model&, py::object, const RangeTuple&, const LimitsTuple&>(),
           py::arg("model"), py::arg("file"), py::arg("range"), py::arg("limits"))
      .def("readinto", &PythonReader::read_into);

  module.def("set_main_thread", [](unsigned long ident) { main_thread = ident; });
  module.def("frame_spans", &frame_spans, py::arg("file"));
  module.def("raw_size", &raw_size, py::arg("file"));
  module.def("explain", &explain, py::arg("model"), py::arg("text"), py::arg("guesses"));
  module.def("ablate", &ablate, py::arg("model"), py::arg("text"));
  module.def("find_model", [](const std::string& spec) {
    std::string found;
    {
      const Released released;
      found = smll::find_model(spec);
    }
    return path(found);
  });
  module.def("find_used_model", [](std::uint64_t fingerprint) {
    std::string found;
    {
      const Released released;
      found = smll::find_used_model(fingerprint);
    }
    return path(found);
  });
  module.def("pull_model", [](const std::string& spec) {
    std::string found;
    {
      const Released released;
      found = smll::pull_model(spec, [](std::uint64_t, std::uint64_t) { check_signals(); });
    }
    return path(found);
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

// pybind11 and callbacks take the main interpreter's thread state, and would wait for ever for it
// in another interpreter: the module is refused there before pybind11 begins.
extern "C" PYBIND11_EXPORT PyObject* PyInit__smll() {
  if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
    PyErr_SetString(PyExc_ImportError,
                    "smll cannot be used in a sub-interpreter: import it in the main one");
    return nullptr;
  }
  return PyInit__smll_of_main();
}
