"""What is packed is what a machine without the repository needs."""

import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]


class PackagingTest(unittest.TestCase):
    def setUp(self):
        directory = tempfile.TemporaryDirectory(prefix="talosmq-packaging.")
        self.addCleanup(directory.cleanup)
        self.directory = pathlib.Path(directory.name)

    def run_python(self, *arguments, cwd):
        return subprocess.run([sys.executable, *map(str, arguments)], cwd=cwd, check=True, capture_output=True,
                              text=True, timeout=60).stdout

    def test_a_source_distribution_is_built_without_the_repository(self):
        repository = self.directory / "repository"
        ignored = shutil.ignore_patterns("build", "dist", "*.egg-info", "__pycache__")
        shutil.copytree(ROOT / "clients" / "python", repository / "clients" / "python", ignore=ignored)
        shutil.copytree(ROOT / "proto", repository / "proto")
        self.run_python("setup.py", "-q", "sdist", "-d", self.directory, cwd=repository / "clients" / "python")
        shutil.rmtree(repository)

        (archive,) = self.directory.glob("talosmq-*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(self.directory)
        (source,) = (path for path in self.directory.glob("talosmq-*") if path.is_dir())
        built = self.directory / "built"
        self.run_python("setup.py", "-q", "build_py", "--build-lib", built, cwd=source)
        version = self.run_python("-c", "import talosmq; print(talosmq.__version__)", cwd=built)
        self.assertIn(version.strip(), archive.name)


if __name__ == "__main__":
    unittest.main()
