# What `make install` installs and `make deb` packs, in four components:
#   program      the program, its manual and completions, and all of them again under the names unsmll and smllcat, by
#                which it decompresses; and SQLite's extension
#   library      libsmll.so for programs that were linked with it
#   cuda         libsmll_cuda.so, which the others load where a GPU is to be used
#   development  headers, libsmll.a, and what CMake and pkg-config need to find them
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

function(install_with_links file destination)  # and how the links to it are called
  foreach(link ${ARGN})
    install(CODE "
      set(directory \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${destination}\")
      file(CREATE_LINK ${file} \"\${directory}/${link}\" SYMBOLIC)
      message(STATUS \"Installing: \${directory}/${link}\")" COMPONENT program)
  endforeach()
endfunction()

set(man_directory ${CMAKE_INSTALL_MANDIR}/man1)
set(bash_directory ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(TARGETS smll RUNTIME COMPONENT program)
install(FILES docs/smll.1 DESTINATION ${man_directory} COMPONENT program)
install(FILES completions/smll.bash RENAME smll DESTINATION ${bash_directory} COMPONENT program)
# zsh reads in the file itself which names it is for.
install(FILES completions/_smll DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions COMPONENT program)
install_with_links(smll ${CMAKE_INSTALL_BINDIR} unsmll smllcat)
install_with_links(smll.1 ${man_directory} unsmll.1 smllcat.1)
install_with_links(smll ${bash_directory} unsmll smllcat)

set(package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/smll)
install(DIRECTORY include/smll DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(TARGETS smll_core EXPORT smll ARCHIVE COMPONENT development INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
if(TARGET smll_shared)
  install(TARGETS smll_shared EXPORT smll LIBRARY COMPONENT library NAMELINK_COMPONENT development
          INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
endif()
install(EXPORT smll NAMESPACE smll:: FILE smllTargets.cmake DESTINATION ${package_directory} COMPONENT development)
configure_package_config_file(cmake/smllConfig.cmake.in ${CMAKE_BINARY_DIR}/smllConfig.cmake
                              INSTALL_DESTINATION ${package_directory} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${CMAKE_BINARY_DIR}/smllConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/smllConfig.cmake ${CMAKE_BINARY_DIR}/smllConfigVersion.cmake
        DESTINATION ${package_directory} COMPONENT development)

# The prefix is where the file lies: `cmake --install --prefix` and staged trees need no other one.
file(RELATIVE_PATH pc_to_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" pc_to_prefix "${pc_to_prefix}")
set(pc_libraries "")
if(llama_FOUND AND "llama" IN_LIST core_libraries)
  get_filename_component(llama_libraries "${llama_DIR}/../.." ABSOLUTE)
  set(pc_libraries "-L${llama_libraries} -lllama -lggml -lggml-cpu -lggml-base ")
endif()
set(pc_packages "libzstd libxxhash fmt")
configure_file(cmake/smll.pc.in ${CMAKE_BINARY_DIR}/smll.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/smll.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

if(TARGET smll_cuda)
  install(FILES ${cuda_library} TYPE LIB COMPONENT cuda)
endif()
if(TARGET smll_sqlite)
  install(TARGETS smll_sqlite LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/smll COMPONENT program)
endif()
