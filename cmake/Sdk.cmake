# TalosMQ::talosmq, what applications link: the folders of the SDK in one static archive, under one
# name in this tree and in an installed package. Static, because its interface speaks Abseil, whose
# binary interface changes with each release of Debian, so that a shared library would promise
# nothing; and because the same objects serve the programs, which would pay for position
# independence that they do not need. docs/adr/0004-static-sdk.md has the whole reason.
set(folders base record proto client_core client)
list(TRANSFORM folders PREPEND "$<TARGET_OBJECTS:talosmq_" OUTPUT_VARIABLE objects)
list(TRANSFORM objects APPEND ">")
add_library(talosmq_sdk STATIC ${objects})
add_library(TalosMQ::talosmq ALIAS talosmq_sdk)
set_target_properties(talosmq_sdk PROPERTIES OUTPUT_NAME talosmq EXPORT_NAME talosmq
                      LINKER_LANGUAGE CXX)
target_compile_features(talosmq_sdk PUBLIC cxx_std_20)
target_include_directories(talosmq_sdk INTERFACE $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include>
                           $<INSTALL_INTERFACE:include>)
# PUBLIC: what the public headers include. PRIVATE: what only the linker has to find.
target_link_libraries(talosmq_sdk
  PUBLIC absl::status absl::statusor absl::time
  PRIVATE absl::any_invocable absl::flat_hash_map absl::strings absl::synchronization
          Threads::Threads protobuf::libprotobuf gRPC::grpc++ OpenSSL::SSL PkgConfig::ISAL
          PkgConfig::LZ4 PkgConfig::ZSTD Snappy::snappy ZLIB::ZLIB spdlog::spdlog)
