// The dictionary as Python sees it.
#pragma once

#include <pybind11/pybind11.h>

namespace smll::python {

// Adds the class Dictionary to the module.
void add_dictionary(pybind11::module_& module);

}  // namespace smll::python
