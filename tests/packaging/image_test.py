"""The container image without a container engine: the scripts that docker/Dockerfile runs, in a bare Debian 12,
then its entry point as its user; and what the Dockerfile and docker/compose.yaml name exists and is accepted."""

import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile
import time
import unittest

import yaml

import debian
import dockerfile
from service import DATA, PATIENCE_SECONDS, Server

ROOT = debian.ROOT
BIN = debian.BUILD / "bin"


class DockerfileTest(unittest.TestCase):
    def test_every_step_is_a_script_of_this_repository(self):
        steps = [shlex.split(arguments)[0] for name, arguments in dockerfile.instructions() if name == "RUN"]
        self.assertEqual(steps, ["/talosmq/packaging/build-package.sh", "/talosmq/docker/install.sh"])
        for step in steps:
            script = ROOT / step.removeprefix("/talosmq/")
            self.assertTrue(script.stat().st_mode & 0o100, script)

    def test_what_is_copied_exists(self):
        for name, arguments in dockerfile.instructions():
            words = shlex.split(arguments)
            if name == "COPY" and not words[0].startswith("--from="):
                for source in words[:-1]:
                    self.assertTrue((ROOT / source).exists(), source)

    def test_nothing_runs_as_root(self):
        names = [name for name, _ in dockerfile.last_stage()]
        self.assertEqual(dockerfile.argument_of("USER"), "talosmq")
        self.assertGreater(names.index("USER"), max(index for index, name in enumerate(names) if name == "RUN"))


class ComposeTest(unittest.TestCase):
    def setUp(self):
        self.compose = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())

    def test_the_server_accepts_every_command(self):
        for name, service in self.compose["services"].items():
            command = [re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", word) for word in service["command"]]
            ended = subprocess.run([BIN / "talosmqd", *command, "--print-config"], capture_output=True, text=True,
                                   check=False)
            # It is checked before files are opened, so that certificates need not exist.
            self.assertEqual(ended.returncode, 0, f"{name}: {ended.stderr}")

    def test_without_mutual_tls_ports_are_on_loopback_only(self):
        for name, service in self.compose["services"].items():
            if any("insecure_network" in word for word in service["command"]):
                for port in service["ports"]:
                    self.assertRegex(port, r"^127\.0\.0\.1:", name)

    def test_none_starts_without_being_named(self):
        for name, service in self.compose["services"].items():
            self.assertEqual(service["profiles"], [name])

    def test_the_data_is_on_the_volume_of_the_image(self):
        self.assertEqual(dockerfile.argument_of("VOLUME"), DATA)
        for name, service in self.compose["services"].items():
            self.assertIn(f"data:{DATA}", service["volumes"], name)
            context = (ROOT / "docker" / service["build"]["context"]).resolve()
            self.assertEqual(context / service["build"]["dockerfile"], dockerfile.PATH)


class ImageTest(unittest.TestCase):
    def setUp(self):
        self.debian = debian.Debian()
        self.addCleanup(self.debian.close)
        with tempfile.TemporaryDirectory(prefix="talosmq-packages.") as output:
            package, _ = debian.build_packages(pathlib.Path(output))
            packages = self.debian.path("/packages")
            packages.mkdir()
            shutil.copy(package, packages)

    def copy(self):
        """COPY of the last stage, from this tree."""
        for name, arguments in dockerfile.last_stage():
            words = shlex.split(arguments)
            if name == "COPY" and not words[0].startswith("--from="):
                target = self.debian.path(words[1])
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / words[0], target)

    def health(self, server):
        ended = subprocess.run(
            self.debian.command(*dockerfile.exec_form("HEALTHCHECK")), capture_output=True, text=True, check=False,
            env=self.debian.environment(TALOSMQ_SERVER=server))
        return ended.returncode

    def test_the_image_serves_tells_its_health_and_keeps_its_data_in_the_volume(self):
        self.copy()
        self.debian.run(*shlex.split(dockerfile.argument_of("RUN")))
        self.assertEqual(self.debian.run("id", "-u", "talosmq").strip(), "919")
        self.assertNotEqual(self.health("127.0.0.1:1"), 0)

        command = dockerfile.exec_form("ENTRYPOINT")
        settings = ["--set", "grpc.listen=127.0.0.1:0", "--set", "http.listen=127.0.0.1:0", "--set", "kafka.listen=127.0.0.1:0"]
        server = Server(self.debian, dockerfile.argument_of("USER"), command + settings, dockerfile.variables())
        self.addCleanup(server.kill)
        self.wait_until_healthy(server)
        server.talosmq("topic", "create", "orders", "-p", "1")
        server.talosmq("produce", "orders", stdin="one\n")
        self.assertEqual(server.talosmq("consume", "orders", "-O", "start", "-e"), "one\n")
        self.assertTrue(list(self.debian.path(dockerfile.argument_of("VOLUME")).glob("topics/*/0/*.log")))
        server.terminate()
        self.assertEqual(server.wait(), 0, server.log())

    def wait_until_healthy(self, server):
        deadline = time.monotonic() + PATIENCE_SECONDS
        listeners = self.debian.path(f"{DATA}/listeners.json")
        while not (listeners.exists() and self.health(server.address()) == 0):
            self.assertIsNone(server.process.poll(), server.log())
            self.assertLess(time.monotonic(), deadline, server.log())


if __name__ == "__main__":
    unittest.main()
