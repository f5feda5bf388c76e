"""Builds the package; the stubs in talosmq/v1 are made from the .proto files on the way.

They are the repository's; a source distribution brings copies of them."""

import pathlib
import shutil
import subprocess
import sys

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY_PROTO = HERE.parent.parent / "proto"
PROTO = HERE / "proto" if (HERE / "proto").exists() else REPOSITORY_PROTO
DEBIAN_PLUGIN = "grpc_python_plugin"  # of protobuf-compiler-grpc


def protoc_command():
    """protoc with Debian's plugin, else the compiler that pip's grpcio-tools brings."""
    plugin = shutil.which(DEBIAN_PLUGIN)
    if shutil.which("protoc") and plugin:
        return ["protoc", f"--plugin=protoc-gen-grpc_python={plugin}"]
    return [sys.executable, "-m", "grpc_tools.protoc"]


def proto_files():
    """Relative to PROTO."""
    found = sorted(path.relative_to(PROTO) for path in (PROTO / "talosmq" / "v1").glob("*.proto"))
    if not found:
        sys.exit(f"setup: expected .proto files in {PROTO}, found none; build inside of the repository or from "
                 "a source distribution")
    return found


class BuildWithStubs(build_py):
    def run(self):
        super().run()
        protos = proto_files()
        out = pathlib.Path(self.build_lib)
        out.mkdir(parents=True, exist_ok=True)
        subprocess.run([*protoc_command(), "-I", PROTO, "--python_out", out, "--grpc_python_out", out, *protos],
                       check=True)
        (out / "talosmq" / "v1" / "__init__.py").touch()


class SdistWithProtos(sdist):
    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        for path in proto_files():
            target = pathlib.Path(base_dir) / "proto" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PROTO / path, target)


setup(
    name="talosmq",
    version="0.1.0",
    description="Client of TalosMQ, a distributed, log-structured message queue",
    packages=["talosmq"],
    python_requires=">=3.11",
    install_requires=["grpcio>=1.51", "protobuf>=4.21"],
    extras_require={"fast": ["crc32c"], "lz4": ["lz4"], "snappy": ["python-snappy"]},
    cmdclass={"build_py": BuildWithStubs, "sdist": SdistWithProtos},
)
