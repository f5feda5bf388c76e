"""Drives kafka.sh: starts the two servers and measures them in turn. See there."""

import argparse
import contextlib
import json
import os
import pathlib
import re
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "load"))
from overload import ROOT, start_server  # noqa: E402

READY_SECONDS = 60
SECONDS_MAX = 300
RATE = 10_000  # Records a second, for latency.
SIZES = (100, 1024)
WARM_UP_RECORDS = 50_000
# What a user who wants throughput sets, beside the defaults; librdkafka's own default of a batch is 1 MB.
LARGE_BATCHES = ("batch.size=262144", "linger.ms=10", "buffer.memory=134217728")


def free_ports(count):
    """Ports that nobody has now: Kafka must be told its own before it starts."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [each.getsockname()[1] for each in sockets]


class Java:
    def __init__(self, classpath, directory):
        self.classpath, self.directory = classpath, directory

    def command(self, main, *arguments, heap="512m"):
        return ["java", f"-Xmx{heap}", "-cp", self.classpath, main, *map(str, arguments)]

    def run(self, main, *arguments):
        done = subprocess.run(self.command(main, *arguments), cwd=self.directory, capture_output=True, text=True,
                              timeout=SECONDS_MAX)
        if done.returncode != 0:
            raise SystemExit(f"{main} {arguments}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        return done.stdout


class Kafka:
    """One broker that is its own controller, with Kafka's defaults: it answers from the page cache."""

    name = "Kafka"

    def __init__(self, java, directory):
        port, controller = free_ports(2)
        self.bootstrap = f"127.0.0.1:{port}"
        directory.mkdir()
        properties = directory / "server.properties"
        properties.write_text(f"""process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://{self.bootstrap},CONTROLLER://127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={directory / 'logs'}
offsets.topic.replication.factor=1
""")
        tool = "kafka.tools.StorageTool"
        cluster = java.run(tool, "random-uuid").split()[-1]
        java.run(tool, "format", "-t", cluster, "-c", properties)
        self.log = directory / "server.log"
        with open(self.log, "wb") as log:
            # The heap that Kafka's own start script gives it.
            self.process = subprocess.Popen(java.command("kafka.Kafka", properties, heap="1g"), stdout=log, stderr=log)
        deadline = time.monotonic() + READY_SECONDS
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise SystemExit(self.log.read_text()[-5000:])
            select.select([], [], [], 0.1)


class TalosMq:
    name = "TalosMQ"

    def __init__(self, bin_dir, directory):
        directory.mkdir()
        self.process, _ = start_server(bin_dir, directory / "data")
        self.bootstrap = json.loads((directory / "data/listeners.json").read_text())["kafka"][0]


class Measurements:
    """Figures by what was measured and which server, in the order of the rounds."""

    def __init__(self):
        self.figures = {}

    def add(self, what, server, figure):
        self.figures.setdefault(what, {}).setdefault(server.name, []).append(figure)
        print(f"{what}: {server.name} {figure:,.2f}", file=sys.stderr, flush=True)

    def report(self):
        print(f"{'':<44}{'TalosMQ':>12}{'min':>12}{'max':>12}{'Kafka':>12}{'min':>12}{'max':>12}{'ratio':>8}")
        for what, by_server in self.figures.items():
            ours, theirs = by_server["TalosMQ"], by_server["Kafka"]
            # A machine's moods change between rounds: the ratio is taken within each round.
            ratio = statistics.median(our / their for our, their in zip(ours, theirs))
            columns = [f(figures) for figures in (ours, theirs) for f in (statistics.median, min, max)]
            print(f"{what:<44}" + "".join(f"{column:>12,.2f}" for column in columns) + f"{ratio:>8.2f}")


def create_topic(java, server, topic):
    java.run("org.apache.kafka.tools.TopicCommand", "--bootstrap-server", server.bootstrap, "--create", "--topic",
             topic, "--partitions", 1, "--replication-factor", 1)


def perf_produce(java, server, topic, size, records, *settings, rate=-1):
    """Records a second, and the latencies in ms by percentile, that kafka-producer-perf-test tells of `records`
    after as many as the Java machine may need to warm up."""
    warm_up = min(records, WARM_UP_RECORDS)
    properties = ("--command-property", *settings) if settings else ()
    out = java.run("org.apache.kafka.tools.ProducerPerformance", "--bootstrap-server", server.bootstrap, "--topic",
                   topic, "--num-records", warm_up + records, "--warmup-records", warm_up, "--record-size", size,
                   "--throughput", rate, *properties)
    last = out.strip().splitlines()[-1]
    rate = float(re.search(r"([\d.]+) records/sec", last)[1])
    return rate, {int(p): float(ms) for ms, p in re.findall(r"([\d.]+) ms (\d+)th", last)}


def perf_consume(java, server, topic, records):
    """Records a second that kafka-consumer-perf-test fetched, its joining of a group left out."""
    out = java.run("org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", server.bootstrap, "--topic",
                   topic, "--num-records", records, "--timeout", 60000)
    lines = [line.split(", ") for line in out.strip().splitlines() if line.count(", ") > 5]
    return float(dict(zip(lines[0], lines[-1]))["fetch.nMsg.sec"])


def rdkafka_produce(bin_dir, server, topic, size, records):
    done = subprocess.run([bin_dir / "rdkafka_produce", server.bootstrap, topic, str(records), str(size),
                           "enable.idempotence=true", "queue.buffering.max.messages=1000000"],
                          capture_output=True, text=True, timeout=SECONDS_MAX)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return float(done.stdout)


def processor_seconds(server):
    """Of the server, user's and system's, since it began."""
    fields = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(options, java, server, results, number):
    began = processor_seconds(server)
    counts = {100: options.records_100, 1024: options.records_1024}
    for size in SIZES:
        topic, megabyte = f"round-{number}-{size}", size / 1e6
        create_topic(java, server, topic)
        rate, _ = perf_produce(java, server, topic, size, counts[size])
        results.add(f"producer-perf {size} B, MB/s", server, rate * megabyte)
        rate, _ = perf_produce(java, server, topic, size, counts[size], *LARGE_BATCHES)
        results.add(f"the same, large batches {size} B, MB/s", server, rate * megabyte)
        rate = rdkafka_produce(options.bin, server, topic, size, counts[size])
        results.add(f"librdkafka {size} B, MB/s", server, rate * megabyte)
        rate = perf_consume(java, server, topic, 3 * counts[size])
        results.add(f"consumer-perf {size} B, MB/s", server, rate * megabyte)
    topic = f"round-{number}-latency"
    create_topic(java, server, topic)
    _, latency = perf_produce(java, server, topic, 100, RATE * options.seconds, rate=RATE)
    for percentile in (50, 99):
        results.add(f"producer-perf at {RATE:,}/s, p{percentile}, ms", server, latency[percentile])
    results.add("processor time of the server, s", server, processor_seconds(server) - began)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--classpath", type=pathlib.Path, required=True, help="the file that kafka.sh has made")
    parser.add_argument("--records-100", type=int, default=3_000_000)
    parser.add_argument("--records-1024", type=int, default=500_000)
    parser.add_argument("--seconds", type=int, default=15, help="of the latency's measurement")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench.", dir=".") as folder, contextlib.ExitStack() as stack:
        folder = pathlib.Path(folder).resolve()
        java = Java(options.classpath.read_text().strip(), folder)
        servers = [TalosMq(options.bin, folder / "talosmq")]
        stack.callback(stop, servers[0])
        servers.append(Kafka(java, folder / "kafka"))
        stack.callback(stop, servers[1])
        results = Measurements()
        for number in range(options.rounds):
            for server in servers:
                measure(options, java, server, results, number)
        results.report()


def stop(server):
    server.process.terminate()
    server.process.wait()


if __name__ == "__main__":
    main()
