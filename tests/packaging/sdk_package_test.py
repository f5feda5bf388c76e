"""The SDK as an application finds it: installed into a prefix, its examples built there as a project of their own,
with CMake and with pkg-config, and run against a server."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import debian

sys.path.insert(0, str(debian.ROOT / "tests/integration"))
from talosmq_process import Server, environment, talosmq  # noqa: E402


class SdkPackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="talosmq-sdk."))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.prefix = cls.folder / "prefix"
        debian.run("cmake", "--install", debian.BUILD, "--component", "sdk", "--prefix", cls.prefix)
        cls.examples = cls.prefix / "share/doc/libtalosmq-dev/examples"
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)

    def configure(self, build, *more):
        return subprocess.run(["cmake", "-G", "Ninja", "-S", self.examples, "-B", build, *more], capture_output=True,
                              text=True, check=False)

    def example(self, program, topic, stdin=""):
        return subprocess.run([program, self.server.address, topic], env=environment(None), input=stdin, check=True,
                              capture_output=True, text=True, timeout=60).stdout

    def create(self, topic):
        status, _, errors = talosmq(self.server, "topic", "create", topic, "-p", "1")
        self.assertEqual(status, 0, errors)

    def test_every_example_builds_with_cmake_and_records_go_through(self):
        build = self.folder / "cmake"
        configured = self.configure(build, f"-DCMAKE_PREFIX_PATH={self.prefix}")
        self.assertEqual(configured.returncode, 0, configured.stderr)
        debian.run("cmake", "--build", build)
        for source in self.examples.glob("*.cc"):
            self.assertTrue((build / f"example_{source.stem}").exists(), source)
        self.create("with-cmake")
        self.example(build / "example_produce", "with-cmake", "one\ntwo\n")
        self.assertEqual(self.example(build / "example_consume", "with-cmake"), "one\ntwo\n")

    def test_an_example_builds_with_pkg_config(self):
        path = next(self.prefix.glob("lib/**/talosmq.pc")).parent
        flags = debian.run("pkg-config", "--cflags", "--libs", "talosmq", env=os.environ | {"PKG_CONFIG_PATH": str(path)})
        program = self.folder / "produce"
        debian.run(os.environ["CXX"], "-std=c++20", self.examples / "produce.cc", "-o", program, *flags.split())
        self.create("with-pkg-config")
        self.example(program, "with-pkg-config", "one\n")
        self.assertEqual(talosmq(self.server, "consume", "with-pkg-config", "-O", "start", "-e")[1], "one\n")

    def test_another_minor_version_is_refused(self):
        project = self.folder / "other"
        project.mkdir()
        (project / "CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\nproject(other LANGUAGES CXX)\nfind_package(TalosMQ 0.0 REQUIRED)\n")
        ended = subprocess.run(["cmake", "-S", project, "-B", project / "build", f"-DCMAKE_PREFIX_PATH={self.prefix}"],
                               capture_output=True, text=True, check=False)
        self.assertNotEqual(ended.returncode, 0)
        self.assertIn("TalosMQ", ended.stderr)

    def test_only_the_public_headers_and_the_published_protocol_are_installed(self):
        public = debian.ROOT / "include/talosmq"
        self.assertEqual(sorted(p.name for p in (self.prefix / "include/talosmq").iterdir()),
                         sorted(p.name for p in public.iterdir()))
        published = {p.name for p in (self.prefix / "share/talosmq/proto").rglob("*.proto")}
        self.assertEqual(published, {p.name for p in (debian.ROOT / "proto/talosmq/v1").iterdir()})


if __name__ == "__main__":
    unittest.main()
