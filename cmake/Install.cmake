# What `cmake --install` puts where, in three components: server, cli, sdk. Installing builds
# nothing: what is missing is told by name.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(CMAKE_SKIP_INSTALL_ALL_DEPENDENCY ON)
set(TALOSMQ_DATADIR ${CMAKE_INSTALL_DATADIR}/talosmq)

# The installed settings are the page of all settings with each one commented out: what nobody set
# follows the defaults of the version that runs, and an upgrade has nothing to ask about.
file(READ ${CMAKE_SOURCE_DIR}/config/talosmqd.yaml settings)
string(REGEX REPLACE "\n([a-z])" "\n#\\1" settings "${settings}")
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/etc/talosmqd.yaml CONTENT "${settings}" @ONLY)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS config/talosmqd.yaml)

# As GNU has it, what belongs to /usr has its settings in /etc; elsewhere they are below the prefix.
install(CODE [[
  set(etc etc)
  if(CMAKE_INSTALL_PREFIX MATCHES "/usr/?$")
    set(etc ../etc)
  endif()]] COMPONENT server)
install(TARGETS talosmqd RUNTIME COMPONENT server)
install(FILES ${CMAKE_BINARY_DIR}/etc/talosmqd.yaml DESTINATION "\${etc}/talosmq" COMPONENT server)
install(FILES packaging/talosmqd.service DESTINATION lib/systemd/system COMPONENT server)
install(DIRECTORY config/grafana DESTINATION ${TALOSMQ_DATADIR} COMPONENT server)
install(FILES docs/operations.md docs/security.md docs/metrics.md docs/guarantees.md
              packaging/copyright
        DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT server)

install(TARGETS talosmq RUNTIME COMPONENT cli)
set(completions ${CMAKE_BINARY_DIR}/completions)
file(MAKE_DIRECTORY ${completions})
foreach(shell IN ITEMS bash zsh)
  add_custom_command(OUTPUT ${completions}/${shell}
    COMMAND talosmq completion ${shell} > ${completions}/${shell} DEPENDS talosmq VERBATIM)
endforeach()
add_custom_target(talosmq_completions ALL DEPENDS ${completions}/bash ${completions}/zsh)
install(FILES ${completions}/bash RENAME talosmq
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions COMPONENT cli)
install(FILES ${completions}/zsh RENAME _talosmq
        DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions COMPONENT cli)

set(package ${CMAKE_INSTALL_LIBDIR}/cmake/TalosMQ)
install(TARGETS talosmq_sdk EXPORT TalosMQ ARCHIVE COMPONENT sdk)
install(EXPORT TalosMQ FILE TalosMQTargets.cmake NAMESPACE TalosMQ:: DESTINATION ${package}
        COMPONENT sdk)
configure_package_config_file(cmake/TalosMQConfig.cmake.in TalosMQConfig.cmake
  INSTALL_DESTINATION ${package} PATH_VARS TALOSMQ_DATADIR)
# Before 1.0 a minor version may change the interface.
write_basic_package_version_file(TalosMQConfigVersion.cmake COMPATIBILITY SameMinorVersion)
file(RELATIVE_PATH TALOSMQ_PREFIX_FROM_PC /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(cmake/talosmq.pc.in talosmq.pc @ONLY)
install(FILES ${CMAKE_BINARY_DIR}/TalosMQConfig.cmake ${CMAKE_BINARY_DIR}/TalosMQConfigVersion.cmake
        DESTINATION ${package} COMPONENT sdk)
install(FILES ${CMAKE_BINARY_DIR}/talosmq.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT sdk)
install(DIRECTORY include/talosmq DESTINATION include COMPONENT sdk)
install(DIRECTORY proto DESTINATION ${TALOSMQ_DATADIR} COMPONENT sdk
        FILES_MATCHING PATTERN "*.proto" PATTERN internal EXCLUDE)
install(DIRECTORY docs/examples DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libtalosmq-dev
        COMPONENT sdk)
install(FILES packaging/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/libtalosmq-dev
        COMPONENT sdk)
