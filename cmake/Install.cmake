# The program, its manual and completions, and all of them again under the names unsmll and smllcat, by which it
# decompresses.
include(GNUInstallDirs)

function(install_with_links file destination)  # and how the links to it are called
  foreach(link ${ARGN})
    install(CODE "
      set(directory \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${destination}\")
      file(CREATE_LINK ${file} \"\${directory}/${link}\" SYMBOLIC)
      message(STATUS \"Installing: \${directory}/${link}\")")
  endforeach()
endfunction()

set(man_directory ${CMAKE_INSTALL_MANDIR}/man1)
set(bash_directory ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(TARGETS smll RUNTIME)
install(FILES docs/smll.1 DESTINATION ${man_directory})
install(FILES completions/smll.bash RENAME smll DESTINATION ${bash_directory})
# zsh reads in the file itself which names it is for.
install(FILES completions/_smll DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/site-functions)
install_with_links(smll ${CMAKE_INSTALL_BINDIR} unsmll smllcat)
install_with_links(smll.1 ${man_directory} unsmll.1 smllcat.1)
install_with_links(smll ${bash_directory} unsmll smllcat)
if(TARGET smll_sqlite)
  install(TARGETS smll_sqlite LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/smll)
endif()
