# The extension module, and the program with its manual and completions where pip puts scripts and data. Wheels hold no
# links, so unsmll and smllcat are left out.
install(TARGETS _smll LIBRARY DESTINATION smll)
if(TARGET smll_sqlite)
  install(TARGETS smll_sqlite LIBRARY DESTINATION smll)
endif()
# Where the module looks for it, and where the program does.
if(TARGET smll_cuda)
  install(FILES ${cuda_library} DESTINATION smll)
  install(FILES ${cuda_library} DESTINATION ${SKBUILD_DATA_DIR}/lib)
endif()
install(TARGETS smll RUNTIME DESTINATION ${SKBUILD_SCRIPTS_DIR})
install(FILES docs/smll.1 DESTINATION ${SKBUILD_DATA_DIR}/share/man/man1)
install(FILES completions/smll.bash RENAME smll DESTINATION ${SKBUILD_DATA_DIR}/share/bash-completion/completions)
install(FILES completions/_smll DESTINATION ${SKBUILD_DATA_DIR}/share/zsh/site-functions)
