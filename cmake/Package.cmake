# Two Debian packages: talosmq (server and command line) and libtalosmq-dev (the SDK). Made by
# packaging/build-package.sh.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME talosmq)
set(CPACK_PACKAGE_VENDOR "TalosMQ")
set(CPACK_PACKAGE_CONTACT "The TalosMQ authors <authors@talosmq.invalid>")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_COMPONENTS_ALL server cli sdk)

set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
# The maintainer scripts have the modes that Debian's policy asks for.
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME talosmq)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_DEPENDS "adduser, init-system-helpers (>= 1.52)")
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_CONTROL_EXTRA
    ${CMAKE_SOURCE_DIR}/packaging/debian/conffiles ${CMAKE_SOURCE_DIR}/packaging/debian/postinst
    ${CMAKE_SOURCE_DIR}/packaging/debian/prerm ${CMAKE_SOURCE_DIR}/packaging/debian/postrm)
set(CPACK_DEBIAN_PROGRAMS_DESCRIPTION
    "Message queue: server and command line\nRecords go into partitioned, append-only logs and are durable before they are\nacknowledged. talosmqd is the server, with a systemd unit; talosmq produces,\nconsumes and administers.")

set(CPACK_DEBIAN_SDK_PACKAGE_NAME libtalosmq-dev)
set(CPACK_DEBIAN_SDK_PACKAGE_SECTION libdevel)
# The library is static: what it needs is found when an application is linked.
set(CPACK_DEBIAN_SDK_PACKAGE_DEPENDS
    "pkg-config, libabsl-dev, libgrpc++-dev, libprotobuf-dev, libssl-dev, libisal-dev, liblz4-dev, libzstd-dev, libsnappy-dev, zlib1g-dev, libspdlog-dev")
set(CPACK_DEBIAN_SDK_DESCRIPTION
    "Message queue: SDK for C++20\nProducer, consumer and administration for TalosMQ: headers, static library,\nCMake package, pkg-config file, the published protocol and example programs.")

include(CPack)
cpack_add_component(server GROUP programs)
cpack_add_component(cli GROUP programs)
cpack_add_component(sdk GROUP sdk)
