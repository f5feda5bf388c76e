"""The lints find what they are for: each test plants one fault in a small tree."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import layers
import tidy


class LintTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = pathlib.Path(self.folder.name)
        self.write("tests/lint/layers.txt", "base |\nio |\nkv |\nstorage | io kv\nrpc | proto\n")

    def tearDown(self):
        self.folder.cleanup()

    def write(self, path, text):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def assert_layers(self, *parts):
        found = layers.check(self.root)
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def assert_tidy(self, *parts):
        found = tidy.check(self.root)
        self.assertEqual(len(found), 1, found)
        for part in parts:
            self.assertIn(part, found[0])

    def test_a_clean_tree_has_no_findings(self):
        self.write("src/storage/a.h", '#include "io/file.h"\n#include <vector>\n#include "base/x.h"\n')
        self.write("src/storage/a.cc", '#include "storage/a.h"\n')
        self.write("src/storage/CMakeLists.txt", "talosmq_library(storage SOURCES a.cc DEPS io base)\n")
        self.assertEqual(layers.check(self.root), [])
        self.assertEqual(tidy.check(self.root), [])

    def test_an_upward_include_is_found(self):
        self.write("src/io/a.h", '#include "storage/log.h"\n')
        self.assert_layers("src/io/a.h", "io may not include storage")

    def test_an_upward_link_is_found(self):
        self.write("src/io/CMakeLists.txt", "talosmq_library(io\n  SOURCES a.cc\n  DEPS base storage)\n")
        self.assert_layers("io may not link storage")

    def test_a_cycle_in_the_table_is_found(self):
        self.write("tests/lint/layers.txt", "a | b\nb | a\n")
        self.assert_layers("cycle", "a -> b -> a")

    def test_rocksdb_outside_of_kv_is_found(self):
        self.write("src/storage/a.h", "#include <rocksdb/db.h>\n")
        self.assert_layers("rocksdb")

    def test_grpc_outside_of_the_front_is_found(self):
        self.write("src/storage/a.h", "#include <grpcpp/grpcpp.h>\n")
        self.assert_layers("grpc")

    def test_protobuf_without_leave_is_found(self):
        self.write("src/storage/a.h", '#include "talosmq/v1/error.pb.h"\n')
        self.assert_layers("protobuf")

    def test_a_public_header_with_a_private_include_is_found(self):
        self.write("include/talosmq/a.h", '#include "base/bytes.h"\n')
        self.assert_layers("public header includes base/bytes.h")

    def test_a_foreign_mutex_is_found(self):
        self.write("src/io/a.h", "std::mutex m;\n")
        self.assert_tidy("src/io/a.h:1", "base::Mutex")

    def test_a_wall_clock_read_is_found(self):
        self.write("src/io/a.h", "auto t = absl::Now();\n")
        self.assert_tidy("base::Clock")

    def test_a_sleep_in_a_test_is_found(self):
        self.write("tests/a.py", "import time\ntime.sleep(1)\n")
        self.assert_tidy("tests/a.py:2", "no sleep")

    def test_a_rename_outside_of_io_is_found(self):
        self.write("src/storage/a.h", "::rename(a, b);\n")
        self.assert_tidy("io::FileSystem")

    def test_a_dead_link_is_found(self):
        self.write("README.md", "[x](docs/none.md)\n")
        self.assert_tidy("dead link docs/none.md")

    def test_a_source_in_no_target_is_found(self):
        self.write("src/io/a.cc", "\n")
        self.write("src/io/CMakeLists.txt", "talosmq_library(io SOURCES b.cc)\n")
        self.assert_tidy("src/io/a.cc: in no CMake target")


if __name__ == "__main__":
    unittest.main()
