# Each instruction set's kernels are compiled with that set's flags and chosen at run time; nothing else may be, so
# that one binary runs on every machine of the architecture.
set(avx2_flags -mavx2 -mfma -mf16c)
set(avx512_flags ${avx2_flags} -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni)
set(amx_flags ${avx512_flags} -mamx-tile -mamx-int8)
foreach(source ${core_sources})
  if(source MATCHES "/exact/cpu/avx2[^/]*\\.cc$" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${avx2_flags}" SKIP_PRECOMPILE_HEADERS ON)
  elseif(source MATCHES "/exact/cpu/avx512[^/]*\\.cc$" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${avx512_flags}" SKIP_PRECOMPILE_HEADERS ON)
  elseif(source MATCHES "/exact/cpu/amx[^/]*\\.cc$" AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${amx_flags}" SKIP_PRECOMPILE_HEADERS ON)
  elseif(source MATCHES "/exact/cpu/neon[^/]*\\.cc$" AND CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
    set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "-march=armv8.2-a+dotprod" SKIP_PRECOMPILE_HEADERS ON)
  endif()
endforeach()
# Tests replace it (cmake/emulated).
set_source_files_properties(${CMAKE_SOURCE_DIR}/src/lm/exact/isa.cc PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
