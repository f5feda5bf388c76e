"""The Debian packages in a bare Debian 12: installed, started as the unit says, upgraded, removed, purged."""

import pathlib
import shutil
import tempfile
import unittest

import debian
from service import DATA, Service

UNIT = "/usr/lib/systemd/system/talosmqd.service"
SETTINGS = "/etc/talosmq/talosmqd.yaml"
# What an administrator would write; here it keeps ports out of each other's way.
OWN_SETTINGS = "grpc.listen: 127.0.0.1:0\nhttp.listen: 127.0.0.1:0\nkafka.listen: 127.0.0.1:0\n"
# In place of a systemd that runs: what the maintainer scripts ask of it is noted; every unit is enabled.
SYSTEMCTL_CALLS = "/var/log/systemctl-calls"
SYSTEMCTL = f'#!/bin/sh\necho "$*" >>{SYSTEMCTL_CALLS}\ncase $* in *is-enabled*) echo enabled ;; esac\n'


class DebianPackageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.packages = pathlib.Path(tempfile.mkdtemp(prefix="talosmq-packages."))
        cls.addClassCleanup(shutil.rmtree, cls.packages, ignore_errors=True)
        cls.first, cls.sdk = debian.build_packages(cls.packages / "first")
        cls.upgrade = debian.run("dpkg-deb", "-f", cls.first, "Version").split("-")[0] + ".1"
        cls.second, _ = debian.build_packages(cls.packages / "second", cls.upgrade)

    def setUp(self):
        self.debian = debian.Debian()
        self.addCleanup(self.debian.close)
        self.play_systemd()
        self.debian.run("apt-get", "update", "-qq")

    def play_systemd(self):
        self.debian.path("/run/systemd/system").mkdir(parents=True)
        systemctl = self.debian.path("/usr/bin/systemctl")
        systemctl.write_text(SYSTEMCTL)
        systemctl.chmod(0o755)

    def asked_of_systemd(self):
        """Which verbs systemd was asked to do with the unit, since the last question."""
        path = self.debian.path(SYSTEMCTL_CALLS)
        calls = [[word for word in line.split() if not word.startswith("-")] for line in path.read_text().splitlines()]
        path.write_text("")
        return [call[0] for call in calls if call[1:] == ["talosmqd.service"]]

    def install(self, package):
        shutil.copy(package, self.debian.path("/tmp"))
        return self.debian.run("apt-get", "install", "-y", "-qq", "--no-install-recommends", f"/tmp/{package.name}")

    def start(self, **options):
        service = Service(self.debian, UNIT, **options)
        self.addCleanup(service.kill)
        return service

    def start_ready(self, **options):
        service = self.start(**options)
        heard = service.hear()
        self.assertEqual((heard or {}).get("READY"), "1", service.log())
        self.assertIn(service.address(), heard["STATUS"])
        return service

    def stop(self, service):
        service.terminate()
        heard = service.hear()
        self.assertEqual(heard, {"STOPPING": "1", "STATUS": "stopping on SIGTERM"}, service.log())
        self.assertIsNone(service.hear())
        self.assertEqual(service.wait(), 0, service.log())

    def read_back(self, service, topic):
        return service.talosmq("consume", topic, "-O", "start", "-e").split()

    def test_what_was_installed_serves_survives_an_upgrade_and_keeps_its_records_when_purged(self):
        self.install(self.first)
        self.assertIn("start", self.asked_of_systemd())
        self.expect_data_directory()
        self.expect_unit_is_right()
        self.expect_completions()
        self.expect_settings_are_the_defaults()
        self.expect_a_start_that_fails_says_why()
        self.expect_sdk_can_be_installed()

        settings = self.debian.path(SETTINGS)
        settings.write_text(settings.read_text() + OWN_SETTINGS)
        service = self.start_ready()
        service.talosmq("topic", "create", "orders", "-p", "1")
        service.talosmq("produce", "orders", stdin="one\ntwo\n")
        self.stop(service)

        # The server runs on while its files are replaced; then systemd is asked for the new one.
        service = self.start_ready(notify="@talosmq-package-test")
        self.assertNotIn("not a clean one", service.log())
        self.install(self.second)
        self.assertIn("restart", self.asked_of_systemd())
        self.assertIn(self.upgrade, self.debian.run("dpkg-query", "-W", "talosmq"))
        self.assertTrue(settings.read_text().endswith(OWN_SETTINGS))
        service.talosmq("produce", "orders", stdin="three\n")
        self.stop(service)
        service = self.start_ready()
        self.assertEqual(self.read_back(service, "orders"), ["one", "two", "three"])
        self.stop(service)

        self.debian.run("apt-get", "remove", "-y", "-qq", "talosmq")
        self.assertIn("stop", self.asked_of_systemd())
        self.assertFalse(self.debian.path("/usr/bin/talosmqd").exists())
        self.assertTrue(settings.exists())
        told = self.debian.run("apt-get", "purge", "-y", "-qq", "talosmq")
        self.assertIn(f"the records in {DATA}", told)
        self.assertFalse(settings.exists())

        self.install(self.second)
        self.debian.path(SETTINGS).write_text(OWN_SETTINGS)
        service = self.start_ready()
        self.assertEqual(self.read_back(service, "orders"), ["one", "two", "three"])
        self.stop(service)

    def expect_a_start_that_fails_says_why(self):
        settings = self.debian.path(SETTINGS)
        installed = settings.read_text()
        settings.write_text("grpc.listen: 0.0.0.0:0\nhttp.listen: 127.0.0.1:0\nkafka.listen: 127.0.0.1:0\n")
        service = self.start()
        heard = service.hear()
        self.assertNotIn("READY", heard)
        self.assertIn("security.insecure_network", heard["STATUS"])
        self.assertIsNone(service.hear())
        self.assertEqual(service.wait(), 1, service.log())
        settings.write_text(installed)

    def expect_data_directory(self):
        found = self.debian.run("stat", "-c", "%U:%G %a", DATA).strip()
        self.assertEqual(found, "talosmq:talosmq 750")

    def expect_sdk_can_be_installed(self):
        """Its dependencies are a compiler's worth of packages: resolved, not fetched."""
        shutil.copy(self.sdk, self.debian.path("/tmp"))
        told = self.debian.run("apt-get", "install", "--simulate", f"/tmp/{self.sdk.name}")
        self.assertIn("Inst libgrpc++-dev", told)

    def expect_unit_is_right(self):
        # The bare Debian has no systemd; the units of this machine's stand around ours.
        shutil.copytree("/usr/lib/systemd/system", self.debian.path("/usr/lib/systemd/system"), symlinks=True,
                        ignore=lambda _, names: [n for n in names if n == "talosmqd.service"], dirs_exist_ok=True)
        told = debian.run("systemd-analyze", "verify", f"--root={self.debian.root}", "talosmqd.service")
        self.assertNotIn("talosmqd.service", told)

    def expect_settings_are_the_defaults(self):
        page = (debian.ROOT / "config/talosmqd.yaml").read_text()
        self.assertEqual(self.debian.run("talosmqd", "--config", SETTINGS, "--print-config"), page)

    def expect_completions(self):
        completion = "/usr/share/bash-completion/completions/talosmq"
        self.assertIn("complete ", self.debian.path(completion).read_text())
        self.debian.run("bash", "-n", completion)
        self.assertIn("#compdef talosmq", self.debian.path("/usr/share/zsh/vendor-completions/_talosmq").read_text())


if __name__ == "__main__":
    unittest.main()
