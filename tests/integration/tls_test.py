"""TLS between the command line and a server: who gets in, who does not, and new certificates."""

import os
import pathlib
import select
import shutil
import subprocess
import tempfile
import time
import unittest

from talosmq_process import BIN, Server, talosmq

PATIENCE_SECONDS = 30


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class Authority:
    """A certificate authority in a folder, and what it signs."""

    def __init__(self, folder, name):
        self.folder = folder
        self.name = name
        self.ca = folder / f"{name}.pem"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                "-keyout", folder / f"{name}.key", "-out", self.ca, "-subj", f"/CN={name}", "-days", 2)

    def sign(self, name, subject_name="IP:127.0.0.1"):
        """Certificate and key files of a new certificate for the host."""
        stem = self.folder / f"{self.name}-{name}"
        certificate, key, request = stem.with_suffix(".crt"), stem.with_suffix(".key"), stem.with_suffix(".csr")
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                "-out", request, "-subj", f"/CN={name}")
        extensions = stem.with_suffix(".ext")
        extensions.write_text(f"subjectAltName={subject_name}\n")
        openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.folder / f"{self.name}.key",
                "-CAcreateserial", "-days", 2, "-extfile", extensions, "-out", certificate)
        return certificate, key


def replace(source, target):
    """Puts a copy of the file in the place of the other in one step."""
    copy = target.with_suffix(".new")
    shutil.copy(source, copy)
    os.replace(copy, target)


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="talosmq-tls."))
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.ours = Authority(cls.folder, "ours")
        cls.theirs = Authority(cls.folder, "theirs")
        cls.server_pair = cls.ours.sign("server")
        cls.client_pair = cls.ours.sign("client")

    def start(self, *settings, **tls):
        """A server with these files of TLS."""
        pair = tls.get("pair", self.server_pair)
        chosen = [f"tls.cert={pair[0]}", f"tls.key={pair[1]}", *settings]
        server = Server(chosen)
        self.addCleanup(server.stop)
        return server

    def start_mutual(self, *settings):
        return self.start(f"tls.client_ca={self.ours.ca}", *settings)

    def flags(self, ca=None, pair=None):
        flags = ["--tls-ca", ca or self.ours.ca]
        if pair is not None:
            flags += ["--tls-cert", pair[0], "--tls-key", pair[1]]
        return flags

    def assert_refused(self, server, *flags):
        status, _, err = talosmq(server, *flags, "topic", "list")
        self.assertEqual(status, 1, err)
        self.assertIn(server.address, err)
        return err

    def test_records_travel_through_mutual_tls(self):
        server = self.start_mutual()
        flags = self.flags(pair=self.client_pair)
        status, _, err = talosmq(server, *flags, "topic", "create", "events")
        self.assertEqual(status, 0, err)
        status, _, err = talosmq(server, *flags, "produce", "events", stdin=b"one\n")
        self.assertEqual(status, 0, err)
        status, out, err = talosmq(server, *flags, "consume", "events", "-e")
        self.assertEqual((status, out), (0, "one\n"), err)

    def test_without_a_client_authority_no_client_certificate_is_asked_for(self):
        server = self.start()
        status, _, err = talosmq(server, *self.flags(), "topic", "list")
        self.assertEqual(status, 0, err)

    def test_who_has_no_certificate_of_the_authority_does_not_get_in(self):
        server = self.start_mutual()
        self.assert_refused(server, *self.flags())
        self.assert_refused(server, *self.flags(pair=self.theirs.sign("stranger")))
        self.assert_refused(server)
        status, _, err = talosmq(server, *self.flags(pair=self.client_pair), "topic", "list")
        self.assertEqual(status, 0, err)

    def test_a_server_that_is_not_who_it_should_be_is_refused(self):
        self.assert_refused(self.start(pair=self.theirs.sign("server")), *self.flags())
        elsewhere = self.ours.sign("elsewhere", "DNS:elsewhere.example.com")
        self.assert_refused(self.start(pair=elsewhere), *self.flags())

    def test_a_plain_port_does_not_answer_tls(self):
        server = Server()
        self.addCleanup(server.stop)
        self.assert_refused(server, *self.flags())

    def test_new_files_are_used_without_a_restart(self):
        pair = tuple(self.folder / f"live{p.suffix}" for p in self.server_pair)
        for source, target in zip(self.server_pair, pair):
            replace(source, target)
        server = self.start(pair=pair)
        other = self.flags(ca=self.theirs.ca)
        self.assert_refused(server, *other)
        for source, target in zip(self.theirs.sign("renewed"), pair):
            replace(source, target)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while talosmq(server, *other, "topic", "list")[0] != 0:
            self.assertLess(time.monotonic(), deadline, server.log())
            select.select([], [], [], 0.1)
        self.assertIsNone(server.process.poll())

    def test_files_that_cannot_be_used_refuse_the_start_by_name(self):
        missing = self.folder / "missing.pem"
        certificate, key = self.server_pair
        for cert_file, key_file, named in (
            (missing, key, missing),
            (certificate, missing, missing),
            (certificate, certificate, certificate),
            (certificate, self.client_pair[1], self.client_pair[1]),
        ):
            with self.assertRaises(RuntimeError) as ended:
                self.start(pair=(cert_file, key_file))
            self.assertIn(str(named), str(ended.exception))
            self.assertNotIn("PRIVATE KEY", str(ended.exception))

    def test_the_command_line_names_the_file_that_cannot_be_used(self):
        server = self.start_mutual()
        missing = self.folder / "missing.pem"
        status, _, err = talosmq(server, "--tls-ca", missing, "topic", "list")
        self.assertEqual(status, 1)
        self.assertIn(str(missing), err)
        status, _, err = talosmq(server, *self.flags(), "--tls-cert", self.client_pair[0], "topic", "list")
        self.assertEqual(status, 1)
        self.assertIn("tls_key", err)

    def test_with_mutual_tls_the_port_may_be_open_to_the_network(self):
        # Only read: --print-config checks the settings and opens nothing.
        certificate, key = self.server_pair
        settings = [f"tls.cert={certificate}", f"tls.key={key}", "grpc.listen=0.0.0.0:0"]
        for with_ca, expected in ((True, 0), (False, 1)):
            command = [BIN / "talosmqd", "--print-config"]
            for setting in settings + ([f"tls.client_ca={self.ours.ca}"] if with_ca else []):
                command += ["--set", setting]
            ended = subprocess.run(command, capture_output=True, text=True)
            self.assertEqual(ended.returncode, expected, ended.stderr)
        self.assertIn("tls.client_ca", ended.stderr)


if __name__ == "__main__":
    unittest.main()
