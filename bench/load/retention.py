"""What retention that starts to delete adds to a producer's p99.

Usage: retention.py [--rounds N] [--bin DIR] [--rate N] [--megabytes N]

In each round a topic of 1 MiB segments is filled, the latency of another one is measured alone, then again
while retention.bytes makes nearly all segments of the first one go at once. Every command has a bound in time.
DIR defaults to build/release/bin.
"""

import argparse
import os
import pathlib
import statistics
import subprocess
import tempfile

from overload import ROOT, bench, measure, start_server

SECONDS_MAX = 120
SIZE = 1024


def run(command):
    subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL, timeout=SECONDS_MAX)


def segments(data):
    return sum(name.endswith(".log") for _, _, names in os.walk(data / "topics") for name in names)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--megabytes", type=int, default=512)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench.", dir=".") as folder:
        data = pathlib.Path(folder).resolve() / "data"
        server, address = start_server(options.bin, data, "--set", "broker.cleanup_interval_ms=100")
        try:
            report(options, address, data)
        finally:
            server.terminate()
            server.wait()


def report(options, address, data):
    cli = [options.bin / "talosmq", "--server", address]
    alone, beside, gone = [], [], []
    for number in range(options.rounds):
        topic = f"old-{number}"
        run([*cli, "topic", "create", topic, "--partitions", 8, "-c", "segment.bytes=1048576",
             "-c", "max.message.bytes=524288"])
        run(bench(options.bin, address, "produce", "--topic", topic, "--size", SIZE,
                  "--records", options.megabytes * 1024, "--batch-size", 262144))
        alone.append(measure(options.bin, address, options.rate))
        before = segments(data)
        run([*cli, "topic", "alter", topic, "-c", "retention.bytes=1048576"])
        beside.append(measure(options.bin, address, options.rate))
        gone.append(before - segments(data))
    print(f"segments gone in a round: {min(gone)} to {max(gone)}")
    print(f"{'p99, ms':<14}{'alone':>9}{'min':>9}{'max':>9}{'beside':>9}{'min':>9}{'max':>9}{'added':>8}")
    for what in alone[0]:
        first = [round_[what] for round_ in alone]
        second = [round_[what] for round_ in beside]
        added = statistics.median(b - a for a, b in zip(first, second))
        print(f"{what:<14}{statistics.median(first):>9.2f}{min(first):>9.2f}{max(first):>9.2f}"
              f"{statistics.median(second):>9.2f}{min(second):>9.2f}{max(second):>9.2f}{added:>8.2f}")


if __name__ == "__main__":
    main()
