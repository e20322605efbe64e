# libsmll_cuda, which the program loads at run time where a GPU is to be used: nothing else needs CUDA, neither to build
# nor to run. For cards from compute capability 8.0 on; those newer than the ones named take the code for virtual 12.0.
# Wheels have it only with ON.
set(SMLL_CUDA AUTO CACHE STRING "Build libsmll_cuda: ON, OFF, or AUTO, where nvcc 12.8 or later is found")
set_property(CACHE SMLL_CUDA PROPERTY STRINGS AUTO ON OFF)
set(SMLL_CUDA_ARCHITECTURES 80 86 89 90 100 120 CACHE STRING "Compute capabilities that libsmll_cuda is built for")

if(SMLL_CUDA AND NOT (SKBUILD AND SMLL_CUDA STREQUAL "AUTO"))
  find_program(SMLL_NVCC nvcc HINTS $ENV{CUDA_HOME}/bin /usr/local/cuda/bin)
  set(nvcc_version 0)
  if(SMLL_NVCC)
    execute_process(COMMAND ${SMLL_NVCC} --version OUTPUT_VARIABLE nvcc_says)
    string(REGEX MATCH "release ([0-9.]+)" _ "${nvcc_says}")
    set(nvcc_version ${CMAKE_MATCH_1})
  endif()
  if(nvcc_version VERSION_LESS 12.8)
    if(SMLL_CUDA STREQUAL "ON")
      message(FATAL_ERROR "SMLL_CUDA is ON, but there is no nvcc 12.8 or later")
    endif()
    message(STATUS "libsmll_cuda is not built: there is no nvcc 12.8 or later")
    return()
  endif()

  # The exact arithmetic: no contraction, no flushing to zero, division and root as IEEE 754 has them.
  set(exact_flags -fmad=false -ftz=false -prec-div=true -prec-sqrt=true)
  set(code_flags)
  foreach(architecture ${SMLL_CUDA_ARCHITECTURES})
    list(APPEND code_flags -gencode arch=compute_${architecture},code=sm_${architecture})
    set(newest ${architecture})
  endforeach()
  list(APPEND code_flags -gencode arch=compute_${newest},code=compute_${newest})
  set(cuda_directory ${CMAKE_SOURCE_DIR}/src/lm/exact/cuda)
  file(GLOB cuda_headers CONFIGURE_DEPENDS ${cuda_directory}/*.h)
  set(cuda_library ${CMAKE_BINARY_DIR}/libsmll_cuda.so)
  add_custom_command(
    OUTPUT ${cuda_library}
    COMMAND ${SMLL_NVCC} -std=c++20 -O3 ${exact_flags} ${code_flags} -shared -cudart static --threads 2
            -Werror all-warnings -Xcompiler=-fPIC,-fvisibility=hidden,-Wall,-Wextra
            -I ${CMAKE_SOURCE_DIR}/src -o ${cuda_library} ${cuda_directory}/library.cu
    DEPENDS ${cuda_directory}/library.cu ${cuda_headers} ${CMAKE_SOURCE_DIR}/src/lm/exact/known_answers.h
            ${CMAKE_SOURCE_DIR}/src/lm/exact/cpu/layout.h
    COMMENT "Building libsmll_cuda.so" VERBATIM)
  add_custom_target(smll_cuda ALL DEPENDS ${cuda_library})
endif()
