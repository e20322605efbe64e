#include "dictionary.h"

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "calls.h"
#include "objects.h"
#include "smll/dictionary.h"
#include "smll/smll.h"

namespace smll::python {
namespace {

// The dictionary, and its gain as records, measured, raw_bytes, bytes_without, bytes_with.
py::tuple train(const py::list& samples, const Model& model, const std::string& name,
                std::size_t size, std::size_t sample_size, double minutes, bool adapter,
                const std::string& lora, float lora_scale, const py::object& progress) {
  std::deque<StableBytes> bytes;
  std::vector<ByteView> views;
  for (const py::handle sample : samples) {
    views.push_back(bytes.emplace_back(py::reinterpret_borrow<py::object>(sample)).view());
  }
  TrainOptions options;
  options.name = name;
  options.opening_bytes = size;
  options.sample_bytes = sample_size;
  options.minutes = minutes;
  options.adapter = adapter;
  options.lora = lora;
  options.lora_scale = lora_scale;
  options.progress = [&](std::uint64_t done, std::uint64_t total) {
    check_signals();
    if (progress.is_none()) return;
    const WithPython python;
    call(progress, py::int_(done), py::int_(total));
  };
  TrainGain gain;
  std::optional<Dictionary> dictionary;
  {
    const Released released;
    dictionary = Dictionary::train(views, options, model, &gain);
  }
  return py::make_tuple(*dictionary, py::make_tuple(gain.records, gain.measured, gain.raw_bytes,
                                                    gain.bytes_without, gain.bytes_with));
}

}  // namespace

void add_dictionary(py::module_& module) {
  py::class_<Dictionary>(module, "Dictionary")
      .def(py::init([](const py::bytes& data) {
             const StableBytes file(data);
             const Released released;
             return Dictionary::parse(file.view());
           }),
           py::arg("data"))
      .def_static("load",
                  [](const std::string& path) {
                    const Released released;
                    return Dictionary::load(path);
                  })
      .def_static("find",
                  [](const std::string& spec) {
                    const Released released;
                    return Dictionary::find(spec);
                  })
      .def_static("train", &train, py::arg("samples"), py::arg("model"), py::arg("name"),
                  py::arg("size"), py::arg("sample_size"), py::arg("minutes"), py::arg("adapter"),
                  py::arg("lora"), py::arg("lora_scale"), py::arg("progress"))
      .def("keep",
           [](const Dictionary& dictionary) {
             std::string kept;
             {
               const Released released;
               kept = dictionary.keep();
             }
             return path(kept);
           })
      .def_property_readonly("sizes",
                             [](const Dictionary& dictionary) {
                               const DictionaryInfo info = dictionary.info();
                               return py::make_tuple(info.opening_bytes, info.sample_bytes,
                                                     info.adapter_bytes);
                             })
      .def("save",
           [](const Dictionary& dictionary, const std::string& path) {
             const Released released;
             dictionary.save(path);
           })
      .def("serialize",
           [](const Dictionary& dictionary) {
             Bytes file;
             {
               const Released released;
               file = dictionary.serialize();
             }
             return to_python(file);
           })
      .def_property_readonly("identity", &Dictionary::identity)
      .def_property_readonly("name", [](const Dictionary& d) { return text(d.name()); })
      .def("__eq__",
           [](const Dictionary& a, const Dictionary& b) { return a.identity() == b.identity(); })
      .def("__hash__", [](const Dictionary& d) { return py::hash(py::int_(d.identity())); });
}

}  // namespace smll::python
