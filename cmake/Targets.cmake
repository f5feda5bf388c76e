# What nearly every source includes is parsed once for the libraries and once, with GoogleTest, for
# the tests. A folder with costlier headers of its own says OWN_PCH and lists them itself.
file(CONFIGURE OUTPUT ${CMAKE_BINARY_DIR}/pch.cc CONTENT "")
add_library(talosmq_pch OBJECT ${CMAKE_BINARY_DIR}/pch.cc)
target_link_libraries(talosmq_pch PRIVATE absl::any_invocable absl::statusor absl::strings absl::time
                      talosmq_warnings)
target_precompile_headers(talosmq_pch PRIVATE
  <algorithm> <functional> <map> <memory> <optional> <span> <string> <string_view> <utility> <vector>
  <absl/functional/any_invocable.h> <absl/status/statusor.h> <absl/strings/str_cat.h>
  <absl/time/time.h>)
if(TALOSMQ_TESTS)
  add_library(talosmq_test_pch OBJECT ${CMAKE_BINARY_DIR}/pch.cc)
  target_link_libraries(talosmq_test_pch PRIVATE absl::any_invocable absl::statusor absl::strings
                        absl::time GTest::gmock talosmq_warnings)
  target_precompile_headers(talosmq_test_pch PRIVATE
    <algorithm> <functional> <map> <memory> <optional> <span> <string> <string_view> <utility>
    <vector> <absl/functional/any_invocable.h> <absl/status/statusor.h> <absl/time/time.h>
    <gmock/gmock.h> <gtest/gtest.h>)
endif()

# talosmq_library(record SOURCES a.cc b.cc DEPS base PRIVATE_DEPS PkgConfig::ZSTD)
# One static library per folder of src/. DEPS name other folders (without prefix) or, with "::",
# imported targets; they say the same as tests/lint/layers.txt, so the linker agrees with the lint.
# UNITY: large, and no two of its sources use one name for different things of their own.
function(talosmq_library name)
  cmake_parse_arguments(ARG "OWN_PCH;UNITY" "" "SOURCES;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(talosmq_${name} STATIC ${ARG_SOURCES})
  if(ARG_UNITY)
    set_target_properties(talosmq_${name} PROPERTIES
      UNITY_BUILD ${TALOSMQ_UNITY} UNITY_BUILD_BATCH_SIZE 9)
  endif()
  if(NOT ARG_OWN_PCH)
    target_precompile_headers(talosmq_${name} REUSE_FROM talosmq_pch)
  endif()
  target_include_directories(talosmq_${name} PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_SOURCE_DIR}/src)
  # Every header has to compile alone: target all_verify_interface_header_sets, preset fuzz.
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  target_sources(talosmq_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR}/src
                 FILES ${headers})
  _talosmq_link(talosmq_${name} PUBLIC ${ARG_DEPS})
  _talosmq_link(talosmq_${name} PRIVATE ${ARG_PRIVATE_DEPS})
  target_link_libraries(talosmq_${name} PRIVATE $<BUILD_INTERFACE:talosmq_warnings>)
endfunction()

# talosmq_program(talosmqd SOURCES main.cc DEPS server)
function(talosmq_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/src)
  _talosmq_link(${name} PRIVATE ${ARG_DEPS})
  target_link_libraries(${name} PRIVATE talosmq_warnings)
endfunction()

# talosmq_test(record_test SOURCES unit/record/batch_test.cc DEPS record test_support [TIMEOUT 60])
# A GoogleTest program; ctest runs it as one test under its name.
function(talosmq_test name)
  cmake_parse_arguments(ARG "OWN_PCH" "TIMEOUT" "SOURCES;DEPS;ARGS" ${ARGN})
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 300)
  endif()
  add_executable(${name} ${ARG_SOURCES})
  if(NOT ARG_OWN_PCH)
    target_precompile_headers(${name} REUSE_FROM talosmq_test_pch)
  endif()
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  # What is tested is checked for undefined behaviour; checking the tests too doubles their build.
  if(TALOSMQ_SANITIZE MATCHES "undefined")
    target_compile_options(${name} PRIVATE -fno-sanitize=undefined)
  endif()
  _talosmq_link(${name} PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  target_link_libraries(${name} PRIVATE talosmq_warnings)
  add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(${name} PROPERTIES TIMEOUT ${ARG_TIMEOUT})
endfunction()

# Third-party targets must not bring warnings into ours, hence SYSTEM for what they include.
function(_talosmq_link target scope)
  foreach(dep IN LISTS ARGN)
    if(dep MATCHES "::")
      target_link_libraries(${target} ${scope} ${dep})
    else()
      target_link_libraries(${target} ${scope} talosmq_${dep})
    endif()
  endforeach()
endfunction()
