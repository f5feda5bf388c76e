"""TLS and logins on the Kafka port, with the clients that people use: kcat, confluent-kafka, kafka-python."""

import pathlib
import subprocess
import tempfile
import unittest

import confluent_kafka as ck
import kafka as kafka_python
import kafka_wire as wire
from certificates import Authority, replace
from confluent_kafka.admin import AdminClient
from kafka_fixture import KafkaTest
from talosmq_process import Server, talosmq

PASSWORD = "correct horse = battery staple"  # kcat takes a comma for the end of a setting.
MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512", "PLAIN")
SCRAM = MECHANISMS[:2]
TYPED_WRONG = "troubador-and-3"
PATIENCE_SECONDS = 30


class LoginTest(KafkaTest):
    """A server with three listeners: TLS and a login; a login alone; TLS alone, with certificates of clients."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="talosmq-login-test."))
        cls.ours, cls.theirs = (Authority(cls.folder, name) for name in ("ours", "theirs"))
        cls.pair = cls.ours.sign("server")
        cls.client_pair = cls.ours.sign("client")
        cls.settings = ("kafka.listen=both=127.0.0.1:0,login=127.0.0.1:0,tls=127.0.0.1:0", "kafka.sasl=both,login",
                        "kafka.tls=both,tls", f"tls.cert={cls.pair[0]}", f"tls.key={cls.pair[1]}",
                        f"tls.client_ca={cls.ours.ca}", "http.tls=false")
        super().setUpClass()
        cls.both, cls.login, cls.tls = cls.server.listeners["kafka"]
        cls.command("user", "create", "alice", stdin=PASSWORD.encode() + b"\n")

    @classmethod
    def command(cls, *arguments, stdin=b""):
        status, out, err = talosmq(cls.server, "--tls-ca", cls.ours.ca, "--tls-cert", cls.client_pair[0], "--tls-key",
                                   cls.client_pair[1], *arguments, stdin=stdin)
        assert status == 0, err
        return out

    def run_ok(self, *arguments, stdin=b""):
        return self.command(*arguments, stdin=stdin)

    def run_failing(self, *arguments, stdin=b""):
        with self.assertRaises(AssertionError) as failed:
            self.command(*arguments, stdin=stdin)
        return str(failed.exception)

    # What librdkafka needs, for each listener.

    def over_both(self, mechanism="SCRAM-SHA-256", **options):
        return {"bootstrap.servers": self.both, "security.protocol": "SASL_SSL", "ssl.ca.location": str(self.ours.ca),
                "sasl.mechanisms": mechanism, "sasl.username": "alice", "sasl.password": PASSWORD} | options

    def over_login(self, mechanism="SCRAM-SHA-256", **options):
        return {"bootstrap.servers": self.login, "security.protocol": "SASL_PLAINTEXT", "sasl.mechanisms": mechanism,
                "sasl.username": "alice", "sasl.password": PASSWORD} | options

    def over_tls(self, **options):
        return {"bootstrap.servers": self.tls, "security.protocol": "SSL", "ssl.ca.location": str(self.ours.ca),
                "ssl.certificate.location": str(self.client_pair[0]), "ssl.key.location": str(self.client_pair[1])} | options

    def refusal(self, options):
        """What a client says that gets nowhere."""
        errors = []
        client = AdminClient(options | {"error_cb": lambda error: errors.append(str(error)), "log_level": 0})
        with self.assertRaises(ck.KafkaException):
            client.list_topics(timeout=5)
        client.poll(0)
        return " ".join(errors)

    def assert_records_travel(self, options):
        topic = f"{self.topic}-{len(self.run_json('topic', 'list'))}"
        self.create(topic=topic)
        producer = ck.Producer(options | {"enable.idempotence": True})
        for i in range(100):
            producer.produce(topic, f"record {i}" + "x" * 10_000 * (i % 2))
        self.assertEqual(producer.flush(PATIENCE_SECONDS), 0)
        consumer = ck.Consumer(options | {"group.id": topic, "auto.offset.reset": "earliest"})
        consumer.subscribe([topic])
        read = []
        self.wait_until(lambda: read.extend(consumer.consume(100, 0.1)) or len(read) >= 100)
        consumer.close()
        self.assertEqual([message.value()[:7] for message in read], [b"record "] * 100)

    # What is refused.

    def test_passwords_that_are_wrong_are_refused(self):
        for mechanism in MECHANISMS:
            self.assertIn("uthentication", self.refusal(self.over_both(mechanism, **{"sasl.password": TYPED_WRONG})))
            # People type passwords there, too.
            self.assertIn("uthentication", self.refusal(self.over_both(mechanism, **{"sasl.username": TYPED_WRONG})))
        for secret in (TYPED_WRONG, PASSWORD):
            self.assertNotIn(secret, self.server.log())

    def test_users_that_there_are_not_are_refused(self):
        for mechanism in MECHANISMS:
            self.assertIn("uthentication", self.refusal(self.over_both(mechanism, **{"sasl.username": "nobody"})))

    def test_plain_is_refused_without_tls(self):
        said = self.refusal(self.over_login("PLAIN"))
        self.assertIn("SCRAM-SHA-256", said)  # What is offered instead.

    def test_a_client_without_a_login_gets_nothing(self):
        connection = wire.Wire(self.login)
        self.addCleanup(connection.close)
        self.assertEqual(connection.api_versions()[0], 0)
        connection.request(wire.METADATA, 1, wire.array())
        self.assertTrue(connection.is_closed())

    def test_a_client_without_a_certificate_gets_nothing(self):
        without = self.over_tls()
        del without["ssl.certificate.location"], without["ssl.key.location"]
        self.refusal(without)
        certificate, key = self.theirs.sign("client")
        self.refusal(without | {"ssl.certificate.location": str(certificate), "ssl.key.location": str(key)})

    def test_a_client_without_tls_gets_nothing(self):
        self.refusal({"bootstrap.servers": self.tls})
        connection = wire.Wire(self.both)
        self.addCleanup(connection.close)
        connection.request(wire.API_VERSIONS, 0, b"")
        self.assertTrue(connection.is_closed())

    def test_a_server_of_another_authority_is_not_trusted(self):
        self.refusal(self.over_both(**{"ssl.ca.location": str(self.theirs.ca)}))

    def test_the_end_of_a_user_ends_its_connections(self):
        self.run_ok("user", "create", "brief", stdin=b"for a while")
        options = self.over_login(**{"sasl.username": "brief", "sasl.password": "for a while"})
        client = AdminClient(options)
        client.list_topics(timeout=PATIENCE_SECONDS)
        self.run_ok("user", "delete", "brief")
        with self.assertRaises(ck.KafkaException):
            client.list_topics(timeout=3)
        self.assertIn("its user is no more", self.server.log())

    # What works.

    def test_records_travel_with_each_mechanism(self):
        for mechanism in MECHANISMS:
            with self.subTest(mechanism=mechanism):
                self.assert_records_travel(self.over_both(mechanism))
        for mechanism in SCRAM:
            with self.subTest(mechanism=mechanism):
                self.assert_records_travel(self.over_login(mechanism))

    def test_records_travel_over_mutual_tls(self):
        self.assert_records_travel(self.over_tls())

    def test_kcat_logs_in(self):
        self.create()
        for mechanism in MECHANISMS:
            flags = [part for option in self.over_both(mechanism).items() for part in ("-X", "=".join(option))]
            subprocess.run(["kcat", *flags, "-P", "-t", self.topic], input=mechanism.encode(), check=True, timeout=60)
            out = subprocess.run(["kcat", *flags, "-C", "-t", self.topic, "-e", "-q"], check=True, timeout=60,
                                 capture_output=True).stdout.decode()
            self.assertIn(mechanism, out)

    # It still sends SaslHandshake 0, with bare tokens behind it.
    def test_kafka_python_logs_in(self):
        self.create()
        for mechanism in MECHANISMS:
            options = {"bootstrap_servers": self.both, "security_protocol": "SASL_SSL", "ssl_cafile": str(self.ours.ca),
                       "sasl_mechanism": mechanism, "sasl_plain_username": "alice", "sasl_plain_password": PASSWORD}
            producer = kafka_python.KafkaProducer(acks="all", retries=5, **options)
            producer.send(self.topic, mechanism.encode()).get(timeout=PATIENCE_SECONDS)
            producer.close()
            consumer = kafka_python.KafkaConsumer(self.topic, auto_offset_reset="earliest", consumer_timeout_ms=30_000,
                                                  **options)
            values = []
            while mechanism.encode() not in values:
                values.append(next(consumer).value)
            consumer.close()

    def test_users_are_listed(self):
        self.run_ok("user", "create", "bob", "--password-file", self.password_file("long enough\nignored"))
        users = self.run_json("user", "list")
        self.assertEqual([user["user"] for user in users if user["user"] in ("alice", "bob")], ["alice", "bob"])
        self.assertEqual(set(users[0]), {"user", "created"})
        self.assertEqual(self.run_json("user", "delete", "bob"), {"user": "bob", "result": "deleted"})

    def password_file(self, text):
        path = self.folder / "password"
        path.write_text(text)
        return path

    def test_users_that_cannot_be_made_are_refused(self):
        self.assertIn("exists already", self.run_failing("user", "create", "alice", stdin=b"long enough"))
        self.assertIn("8 to 128 printable", self.run_failing("user", "create", "eve", stdin=b"short"))
        self.assertIn("8 to 128 printable", self.run_failing("user", "create", "eve", stdin="passwörter".encode()))
        self.assertIn("found nothing", self.run_failing("user", "create", "eve"))
        self.assertIn("user name", self.run_failing("user", "create", "e v e", stdin=b"long enough"))
        self.assertIn("no user 'eve'", self.run_failing("user", "delete", "eve"))

    # StoredKey and one login that was overheard are a login.
    def test_users_are_not_made_where_others_can_hear_it(self):
        for server in ("192.0.2.1:9191", "127.0.0.1:1,mq.example.com:9191", "[2001:db8::1]:9191"):
            status, _, err = talosmq(None, "--server", server, "user", "create", "eve", stdin=b"long enough")
            self.assertNotEqual(status, 0)
            self.assertIn("--tls-ca", err)

    def test_passwords_are_nowhere_on_the_disk(self):
        for path in self.server.data.rglob("*"):
            if path.is_file():
                self.assertNotIn(PASSWORD.encode(), path.read_bytes(), path)


class NewCertificateTest(KafkaTest):
    """A server of its own, since its certificates change."""

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="talosmq-login-test."))
        cls.old, cls.new = (Authority(cls.folder, name) for name in ("old", "new"))
        cls.live = tuple(cls.folder / name for name in ("server.crt", "server.key"))
        cls.replace_pair(cls.old)
        cls.settings = (f"tls.cert={cls.live[0]}", f"tls.key={cls.live[1]}")
        super().setUpClass()

    @classmethod
    def replace_pair(cls, authority):
        for source, target in zip(authority.sign("server"), cls.live):
            replace(source, target)

    def is_trusted_by(self, authority):
        client = AdminClient({"bootstrap.servers": self.address, "security.protocol": "SSL", "log_level": 0,
                              "ssl.ca.location": str(authority.ca)})
        try:
            return client.list_topics(timeout=5) is not None
        except ck.KafkaException:
            return False

    def test_they_come_into_force(self):
        self.assertTrue(self.is_trusted_by(self.old))
        self.replace_pair(self.new)
        self.wait_until(lambda: self.is_trusted_by(self.new))


class RestartTest(unittest.TestCase):
    def test_users_survive_kill_9(self):
        server = Server(("kafka.sasl=all",))
        self.addCleanup(server.stop)
        self.assertEqual(talosmq(server, "user", "create", "alice", stdin=PASSWORD.encode())[0], 0)
        server.process.kill()
        server.process.wait()
        server.start(("kafka.sasl=all",))
        client = AdminClient({"bootstrap.servers": server.listeners["kafka"][0], "security.protocol": "SASL_PLAINTEXT",
                              "sasl.mechanisms": "SCRAM-SHA-512", "sasl.username": "alice", "sasl.password": PASSWORD})
        self.assertEqual(len(client.list_topics(timeout=PATIENCE_SECONDS).brokers), 1)


if __name__ == "__main__":
    unittest.main()
