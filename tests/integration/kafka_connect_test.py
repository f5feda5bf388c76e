"""Kafka Connect against the Kafka port: lines of a file go into a topic, and from there into another file."""

import pathlib
import shutil
import signal
import subprocess
import tempfile
import unittest

from foreign_clients import JAVA, java_classpath
from kafka_fixture import KafkaTest

STOP_SECONDS = 60
KILLS = 2

WORKER = """
bootstrap.servers={address}
listeners=http://127.0.0.1:0
plugin.discovery=service_load
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename={folder}/offsets
offset.flush.interval.ms=500
producer.enable.idempotence=true
producer.reconnect.backoff.max.ms=500
producer.request.timeout.ms=5000
consumer.reconnect.backoff.max.ms=500
consumer.heartbeat.interval.ms=200
"""
# What is left of a full batch it sends only when the file grows again: so none is ever full.
SOURCE = """
name={topic}-source
connector.class=FileStreamSource
file={folder}/in
topic={topic}
batch.size=100000
"""
SINK = """
name={topic}-sink
connector.class=FileStreamSink
file={folder}/out
topics={topic}
"""


class ConnectTest(KafkaTest):
    @classmethod
    def setUpClass(cls):
        cls.classpath = java_classpath("connect")
        super().setUpClass()

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="talosmq-connect-test."))
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.lines = []
        self.worker = None
        self.addCleanup(self.kill_worker)
        self.create()
        for name, text in (("worker", WORKER), ("source", SOURCE), ("sink", SINK)):
            (self.folder / name).write_text(text.format(address=self.address, folder=self.folder, topic=self.topic))

    def start_worker(self):
        with open(self.folder / "log", "ab") as log:
            self.worker = subprocess.Popen(
                [*JAVA, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", self.classpath,
                 "org.apache.kafka.connect.cli.ConnectStandalone",
                 *(self.folder / name for name in ("worker", "source", "sink"))],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def kill_worker(self):
        if self.worker is not None:
            self.worker.kill()
            self.worker.wait()

    def stop_worker(self):
        self.worker.send_signal(signal.SIGTERM)
        self.worker.wait(timeout=STOP_SECONDS)

    def write(self, count):
        more = [f"line {number}" for number in range(len(self.lines), len(self.lines) + count)]
        self.lines += more
        with open(self.folder / "in", "a") as file:
            file.writelines(line + "\n" for line in more)

    def out(self):
        path = self.folder / "out"
        return path.read_text().splitlines() if path.exists() else []

    def log(self):
        return (self.folder / "log").read_text(errors="replace")[-3000:]

    def wait_for_lines(self):
        self.wait_until(lambda: self.lines[-1] in self.out()[-1:],
                        f"the last of {len(self.lines)} lines does not come: {self.out()[-1:]} {self.log()}")

    def test_each_line_arrives_once_over_a_restart_of_the_worker(self):
        self.start_worker()
        self.write(1000)
        self.wait_for_lines()
        self.stop_worker()
        self.write(1000)
        self.start_worker()
        self.wait_for_lines()
        self.write(1)
        self.wait_for_lines()
        self.assertEqual(self.out(), self.lines)
        self.assertEqual(self.consumed_by_grpc("%v"), self.lines)

    # What the sink had not committed it may be given again, as with Kafka.
    def test_each_line_arrives_over_kills_of_the_server(self):
        self.start_worker()
        for _ in range(KILLS):
            before, = self.ends()
            self.write(20_000)
            self.wait_until(lambda before=before: self.ends()[0] > before, f"nothing is written: {self.log()}")
            self.server.process.kill()
            self.server.process.wait()
            self.write(1000)
            self.server.start((f"kafka.listen={self.address}",))
        self.write(1)
        self.wait_for_lines()
        self.assertEqual(self.consumed_by_grpc("%v"), self.lines, "in the topic nothing is lost or doubled")
        self.assertEqual(list(dict.fromkeys(self.out())), self.lines)


if __name__ == "__main__":
    unittest.main()
