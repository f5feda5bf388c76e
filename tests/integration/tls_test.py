"""TLS on both ports of a server: who gets in, who does not, new certificates, and what is logged."""

import pathlib
import select
import shutil
import socket
import ssl
import subprocess
import tempfile
import time
import unittest
import urllib.request
import warnings

from certificates import Authority, openssl, replace
from talosmq_process import BIN, Server, start_talosmq, talosmq

PATIENCE_SECONDS = 30
GET_HEALTH = b"GET /health HTTP/1.1\r\nHost: mq\r\n\r\n"
PORTS = ("grpc", "http")


def client_context(ca, pair=None, version=None):
    context = ssl.create_default_context(cafile=ca)
    context.set_alpn_protocols(["h2", "http/1.1"])
    if pair is not None:
        context.load_cert_chain(*pair)
    if version is not None:
        context.set_ciphers("DEFAULT:@SECLEVEL=0")
        with warnings.catch_warnings(action="ignore"):  # That the version is an old one.
            context.minimum_version = context.maximum_version = version
    return context


def first_bytes(address, context, host="127.0.0.1"):
    """What a port says first to a TLS client: nothing, or an error, when it does not let it in."""
    where, port = address.rsplit(":", 1)
    with socket.create_connection((where, int(port)), timeout=PATIENCE_SECONDS) as plain:
        with context.wrap_socket(plain, server_hostname=host) as stream:
            if stream.selected_alpn_protocol() != "h2":  # The gRPC port speaks first, HTTP after a request.
                stream.sendall(GET_HEALTH)
            return stream.recv(64)


def gets_in(address, context, host="127.0.0.1"):
    try:
        return len(first_bytes(address, context, host)) > 0
    except OSError:  # Of which every error of TLS is one.
        return False


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

    def start_mutual(self, *settings, **tls):
        return self.start(f"tls.client_ca={self.ours.ca}", *settings, **tls)

    def live_copy(self, name, *sources):
        """Copies that a test replaces while somebody watches them."""
        targets = tuple(self.folder / f"{name}{source.suffix}" for source in sources)
        for source, target in zip(sources, targets):
            replace(source, target)
        return targets

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

    def assert_serves(self, server, *flags):
        status, _, err = talosmq(server, *flags, "topic", "list")
        self.assertEqual(status, 0, err)

    def wait_until(self, is_so, server):
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not is_so():
            self.assertLess(time.monotonic(), deadline, server.log())
            select.select([], [], [], 0.1)

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
        self.assert_serves(server, *self.flags())
        self.assertTrue(gets_in(server.http, client_context(self.ours.ca)))

    def test_who_has_no_certificate_of_the_authority_does_not_get_in(self):
        server = self.start_mutual()
        strangers = {
            "none": None,
            "of another authority": self.theirs.sign("stranger"),
            "run out": self.ours.sign("late", days=-1),
        }
        for name, pair in strangers.items():
            with self.subTest(certificate=name):
                self.assert_refused(server, *self.flags(pair=pair))
                for port in PORTS:
                    self.assertFalse(gets_in(server.listeners[port], client_context(self.ours.ca, pair)), port)
        self.assert_refused(server)
        self.assert_serves(server, *self.flags(pair=self.client_pair))
        for port in PORTS:
            self.assertTrue(gets_in(server.listeners[port], client_context(self.ours.ca, self.client_pair)), port)

    def test_metrics_come_through_mutual_tls(self):
        server = self.start_mutual()
        context = client_context(self.ours.ca, self.client_pair)
        context.set_alpn_protocols(["http/1.1"])
        with urllib.request.urlopen(f"https://{server.http}/metrics", context=context) as reply:
            self.assertIn("process_open_fds", reply.read().decode())

    def test_a_server_that_is_not_who_it_should_be_is_refused(self):
        impostors = {
            "of another authority": self.theirs.sign("server"),
            "of another host": self.ours.sign("elsewhere", "DNS:elsewhere.example.com"),
            "run out": self.ours.sign("expired", days=-1),
        }
        for name, pair in impostors.items():
            with self.subTest(certificate=name):
                server = self.start(pair=pair)
                self.assert_refused(server, *self.flags())
                for port in PORTS:
                    with self.assertRaises(ssl.SSLCertVerificationError, msg=port):
                        first_bytes(server.listeners[port], client_context(self.ours.ca))

    def test_only_tls_from_1_2_on_is_spoken(self):
        server = self.start()
        for port in PORTS:
            for version, expected in ((ssl.TLSVersion.TLSv1_1, False), (ssl.TLSVersion.TLSv1_2, True),
                                      (ssl.TLSVersion.TLSv1_3, True)):
                context = client_context(self.ours.ca, version=version)
                self.assertEqual(gets_in(server.listeners[port], context), expected, (port, version))

    def test_plain_and_tls_do_not_understand_each_other(self):
        plain = Server()
        self.addCleanup(plain.stop)
        self.assert_refused(plain, *self.flags())
        self.assertFalse(gets_in(plain.http, client_context(self.ours.ca)))
        server = self.start()
        host, port = server.http.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as stream:
            stream.sendall(GET_HEALTH)
            self.assertNotIn(b"200", stream.recv(64))

    def test_the_http_port_may_stay_plain(self):
        server = self.start_mutual("http.tls=false")
        host, port = server.http.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=PATIENCE_SECONDS) as stream:
            stream.sendall(GET_HEALTH)
            self.assertIn(b"200 OK", stream.recv(64))

    def replace_files_of(self, name, *settings):
        """A server whose files have become those of another authority, and who gets in by now."""
        pair = self.live_copy(name, *self.server_pair)
        client_ca, = self.live_copy(f"{name}-ca", self.ours.ca)
        server = self.start(f"tls.client_ca={client_ca}", *settings, pair=pair)
        before = self.flags(pair=self.client_pair)
        client = self.theirs.sign("client")
        after = self.flags(ca=self.theirs.ca, pair=client)
        self.assert_serves(server, *before)
        self.assert_refused(server, *after)
        for source, target in zip((*self.theirs.sign("renewed"), self.theirs.ca), (*pair, client_ca)):
            replace(source, target)
        self.wait_until(lambda: talosmq(server, *after, "topic", "list")[0] == 0, server)
        self.assert_refused(server, *before)
        self.assertIsNone(server.process.poll())
        return server, client

    def test_new_files_are_used_without_a_restart(self):
        server, client = self.replace_files_of("live")
        self.wait_until(lambda: gets_in(server.http, client_context(self.theirs.ca, client)), server)
        self.assertFalse(gets_in(server.http, client_context(self.theirs.ca, self.client_pair)))

    def test_new_files_are_used_beside_a_plain_http_port(self):
        self.replace_files_of("beside-plain", "http.tls=false")

    def test_a_certificate_whose_key_does_not_fit_is_kept_out(self):
        pair = self.live_copy("unfit", *self.server_pair)
        server = self.start(pair=pair)
        renewed = self.theirs.sign("unfit")
        replace(renewed[0], pair[0])
        warning = "the old ones stay in force"
        self.wait_until(lambda: warning in server.log(), server)
        # gRPC looks at its files once a second: what was wrong would have been in force by now.
        until = time.monotonic() + 2.5
        while time.monotonic() < until:
            self.assert_serves(server, *self.flags())
            self.assertTrue(gets_in(server.http, client_context(self.ours.ca)))
        told = [line for line in server.log().splitlines() if warning in line]
        self.assertEqual(len(told), 1, told)
        for path in pair:
            self.assertIn(str(path), told[0])
        replace(renewed[1], pair[1])
        theirs = self.flags(ca=self.theirs.ca)
        self.wait_until(lambda: talosmq(server, *theirs, "topic", "list")[0] == 0, server)
        self.wait_until(lambda: gets_in(server.http, client_context(self.theirs.ca)), server)

    def test_a_running_client_goes_on_with_new_files(self):
        ca, certificate, key = self.live_copy("running", self.ours.ca, *self.client_pair)
        server = self.start_mutual()
        flags = self.flags(pair=self.client_pair)
        self.assertEqual(talosmq(server, *flags, "topic", "create", "events", "-p", "1")[0], 0)
        reader = start_talosmq(server, *self.flags(ca, (certificate, key)), "consume", "events", "-O", "start")
        self.addCleanup(reader.communicate)
        self.addCleanup(reader.kill)

        def assert_reads(word, writer_flags):
            status, _, err = talosmq(server, *writer_flags, "produce", "events", stdin=word + b"\n")
            self.assertEqual(status, 0, err)
            self.assertTrue(select.select([reader.stdout], [], [], PATIENCE_SECONDS)[0], server.log())
            self.assertEqual(reader.stdout.readline(), word + b"\n")

        def restart(authority, pair):
            address = server.address
            server.process.terminate()
            server.process.wait(timeout=60)
            server.start([f"grpc.listen={address}", f"tls.cert={pair[0]}", f"tls.key={pair[1]}",
                          f"tls.client_ca={authority.ca}"])

        assert_reads(b"first", flags)
        # Half of a new pair is not taken.
        renewed = self.theirs.sign("running-client")
        replace(renewed[0], certificate)
        restart(self.ours, self.server_pair)
        assert_reads(b"second", flags)
        replace(renewed[1], key)
        replace(self.theirs.ca, ca)
        restart(self.theirs, self.theirs.sign("running-server"))
        assert_reads(b"third", self.flags(self.theirs.ca, renewed))

    def test_files_that_cannot_be_used_refuse_the_start_by_name(self):
        missing = self.folder / "missing.pem"
        locked = self.folder / "locked.key"
        certificate, key = self.server_pair
        openssl("ec", "-in", key, "-aes256", "-passout", "pass:secret", "-out", locked)
        for cert_file, key_file, named in (
            (missing, key, missing),
            (certificate, missing, missing),
            (certificate, certificate, certificate),
            (certificate, self.client_pair[1], self.client_pair[1]),
            (certificate, locked, locked),
        ):
            with self.assertRaises(RuntimeError) as ended:
                self.start(pair=(cert_file, key_file))
            self.assertIn(str(named), str(ended.exception))

    def test_the_command_line_names_the_file_that_cannot_be_used(self):
        server = self.start_mutual()
        missing = self.folder / "missing.pem"
        status, _, err = talosmq(server, "--tls-ca", missing, "topic", "list")
        self.assertEqual(status, 1)
        self.assertIn(str(missing), err)
        status, _, err = talosmq(server, *self.flags(), "--tls-cert", self.client_pair[0], "topic", "list")
        self.assertEqual(status, 1)
        self.assertIn("tls_key", err)

    def test_with_mutual_tls_the_ports_may_be_open_to_the_network(self):
        # Only read: --print-config checks the settings and opens nothing.
        certificate, key = self.server_pair
        tls = [f"tls.cert={certificate}", f"tls.key={key}"]
        mutual = [*tls, f"tls.client_ca={self.ours.ca}"]
        for port in PORTS:
            for settings, expected in ((mutual, 0), (tls, 1)):
                command = [BIN / "talosmqd", "--print-config"]
                for setting in [*settings, f"{port}.listen=0.0.0.0:0"]:
                    command += ["--set", setting]
                ended = subprocess.run(command, capture_output=True, text=True)
                self.assertEqual(ended.returncode, expected, ended.stderr)
            self.assertIn("tls.client_ca", ended.stderr)

    def test_nothing_of_a_secret_is_ever_told(self):
        pair = self.live_copy("told", *self.server_pair)
        garbage = self.folder / "garbage.key"
        garbage.write_text("the-password-is-hunter2\n")
        loud = {"GRPC_VERBOSITY": "debug"}
        server = self.start_mutual("log.level=debug", pair=pair)
        told = []
        for flags in (self.flags(pair=self.client_pair), self.flags(), self.flags(pair=self.theirs.sign("spy")),
                      self.flags(pair=(self.client_pair[0], self.server_pair[1])),
                      self.flags(pair=(self.client_pair[0], garbage)), self.flags(ca=garbage)):
            told += talosmq(server, *flags, "topic", "list", variables=loud)[1:]
        for unfit in (garbage, self.client_pair[1]):
            told_before = server.log().count("stay in force")
            replace(unfit, pair[1])
            self.wait_until(lambda: server.log().count("stay in force") > told_before, server)
        server.process.terminate()
        server.process.wait(timeout=60)
        told.append(server.log())
        for unfit_pair in ((self.server_pair[0], garbage), tuple(reversed(self.server_pair))):
            with self.assertRaises(RuntimeError) as ended:
                self.start("log.level=debug", pair=unfit_pair)
            told.append(str(ended.exception))
        everything = "\n".join(told)
        self.assertIn("stay in force", everything)
        for path in self.folder.glob("*.key"):
            secrets = [*path.read_text().split("\n"), *private_numbers(path)]
            self.assertEqual([s for s in secrets if s and s in everything], [], path)


def private_numbers(key_file):
    """The secret number of a key as hex, plain and in the form that OpenSSL prints."""
    shown = subprocess.run(["openssl", "ec", "-in", key_file, "-noout", "-text", "-passin", "pass:secret"],
                           capture_output=True, text=True)
    if shown.returncode != 0:
        return []
    secret = shown.stdout.split("priv:")[1].split("pub:")[0]
    octets = secret.split()
    return ["".join(octets).replace(":", ""), octets[0]]


if __name__ == "__main__":
    unittest.main()
