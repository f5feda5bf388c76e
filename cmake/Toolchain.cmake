# Compiler launcher, linker, sanitizers and the warning set of our own targets.

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  # Precompiled headers need ccache to look at what they define rather than at their time stamps.
  # Paths below the sources count as relative, so that a clone finds what another one has compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER
      ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros
      CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE_PROGRAM})
endif()

find_program(MOLD_PROGRAM mold)
find_program(LLD_PROGRAM ld.lld)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
elseif(LLD_PROGRAM)
  add_link_options(-fuse-ld=lld)
endif()

if(TALOSMQ_SANITIZE)
  add_compile_options(-fsanitize=${TALOSMQ_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TALOSMQ_SANITIZE})
endif()
if(TALOSMQ_SANITIZE STREQUAL "thread")
  # The prebuilt Abseil is not instrumented, so base::Mutex becomes a pthread mutex here.
  add_compile_definitions(TALOSMQ_PTHREAD_MUTEX)
endif()
if(TALOSMQ_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link,address)
  add_link_options(-fsanitize=address)
endif()

add_library(talosmq_warnings INTERFACE)
target_compile_options(talosmq_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Wimplicit-fallthrough -Wswitch-enum -Werror
  # GCC 12 sees overlaps in std::string that are none (its bug 105329).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # At -O3 the same analysis finds writes beyond inlined strings; the address sanitizer finds none.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-array-bounds>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-stringop-overflow>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-stringop-overread>
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<CONFIG:Release>>:-Wno-maybe-uninitialized>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety -Wthread-safety-beta>)
