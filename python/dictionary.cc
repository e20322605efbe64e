#include "dictionary.h"

#include <string>

#include "calls.h"
#include "objects.h"
#include "smll/dictionary.h"

namespace smll::python {

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
