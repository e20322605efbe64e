# llama.cpp built along with smll from its own sources, for --backend llama: in wheels, and where no built one is found.
# For any CPU of the architecture, so it is slower than one built for this machine. Say -DGGML_AVX2=ON and the like (with
# pip: -C cmake.define.GGML_AVX2=ON) to give that up.
set(llama_folder "${CMAKE_SOURCE_DIR}/third_party/llama.cpp")
if(NOT EXISTS "${llama_folder}/CMakeLists.txt")
  find_package(Python 3.9 REQUIRED COMPONENTS Interpreter)
  execute_process(COMMAND "${Python_EXECUTABLE}" "${CMAKE_SOURCE_DIR}/scripts/fetch_llama" "${llama_folder}" --libraries
                  COMMAND_ERROR_IS_FATAL ANY)
endif()

set(BUILD_SHARED_LIBS OFF)
foreach(feature NATIVE OPENMP SSE42 AVX AVX2 AVX_VNNI BMI2 FMA F16C)
  option(GGML_${feature} "" OFF)
endforeach()
foreach(part COMMON TESTS EXAMPLES TOOLS SERVER APP)
  set(LLAMA_BUILD_${part} OFF CACHE BOOL "")
endforeach()

# Neither smll's warnings nor its floating-point rules are llama.cpp's.
get_directory_property(smll_options COMPILE_OPTIONS)
set_directory_properties(PROPERTIES COMPILE_OPTIONS "")
add_subdirectory("${llama_folder}" "${CMAKE_BINARY_DIR}/llama.cpp" EXCLUDE_FROM_ALL)
set_directory_properties(PROPERTIES COMPILE_OPTIONS "${smll_options}")
