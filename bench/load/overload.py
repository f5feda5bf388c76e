"""What a client that overloads the server does to the latency of another.

Usage: overload.py [--rounds N] [--bin DIR] [--rate R]

In each round `talosmq bench latency` runs alone, then beside one that floods: several producers that
send as fast as they are let. The flood runs at the lowest
priority, since on one machine it would otherwise take the processor from the client that is
measured, which is not the server's doing. DIR defaults to build/release/bin.
"""

import argparse
import json
import pathlib
import select
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
READY_SECONDS = 30


def start_server(bin_dir, data, *settings):
    log = open(data.parent / "server.log", "wb")
    server = subprocess.Popen([bin_dir / "talosmqd", "--data-dir", data, "--set", "grpc.listen=127.0.0.1:0",
                               "--set", "http.listen=127.0.0.1:0", "--set", "kafka.listen=127.0.0.1:0", *settings], stdout=log, stderr=log)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            return server, json.loads((data / "listeners.json").read_text())["grpc"]
        except (FileNotFoundError, json.JSONDecodeError):
            select.select([], [], [], 0.05)
    raise SystemExit((data.parent / "server.log").read_text())


def bench(bin_dir, address, *arguments):
    return [bin_dir / "talosmq", "--server", address, "-o", "json", "bench", *map(str, arguments)]


class Flood:
    """Producers and readers of topics of their own, until the end of the block."""

    def __init__(self, bin_dir, address, producers):
        self.commands = [["nice", "-n", "19", *bench(bin_dir, address, "produce", "--size", 1024,
                                                     "--partitions", 4, "--records", 10**9)]
                         for _ in range(producers)]
        self.processes = []

    def __enter__(self):
        self.processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                          for command in self.commands]

    def __exit__(self, *_):
        for process in self.processes:
            process.kill()
            process.wait()


def measure(bin_dir, address, rate):
    records = int(rate * 5)
    out = subprocess.run(bench(bin_dir, address, "latency", "--size", 100, "--rate", rate, "--records", records), check=True, capture_output=True, text=True).stdout
    document = json.loads(out)
    return {"end to end": document["latency_ms"]["p99"], "durable put": document["durable_put_latency_ms"]["p99"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--producers", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench.", dir=".") as folder:
        server, address = start_server(options.bin, pathlib.Path(folder).resolve() / "data")
        try:
            report(options, address)
        finally:
            server.terminate()
            server.wait()


def report(options, address):
    alone, beside = [], []
    for _ in range(options.rounds):
        alone.append(measure(options.bin, address, options.rate))
        with Flood(options.bin, address, options.producers):
            beside.append(measure(options.bin, address, options.rate))
    print(f"{'p99, ms':<14}{'alone':>9}{'min':>9}{'max':>9}{'flooded':>9}{'min':>9}{'max':>9}{'ratio':>8}")
    for what in alone[0]:
        before = [run[what] for run in alone]
        after = [run[what] for run in beside]
        ratio = statistics.median(b / a for a, b in zip(before, after))
        print(f"{what:<14}{statistics.median(before):>9.2f}{min(before):>9.2f}{max(before):>9.2f}"
              f"{statistics.median(after):>9.2f}{min(after):>9.2f}{max(after):>9.2f}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
