"""What readers that catch up from the start of a large topic cost a producer.

Usage: catch_up.py [--rounds N] [--readers N] [--bin DIR] [--gigabytes N] [--seconds N]

A topic larger than the tail cache is filled first. In each round `talosmq bench produce` runs alone,
then beside N readers of that topic that begin at its start again and again. Prints both rates, their
ratio within each round, and how many of the reads the tail cache has answered meanwhile. The readers
run at the lowest priority, since on one machine they would otherwise take the processor from the
producer, which is not the server's doing. Every command has a bound in time. DIR defaults to
build/release/bin.
"""

import argparse
import json
import pathlib
import re
import statistics
import subprocess
import tempfile
import urllib.request

from overload import ROOT, bench, start_server

SIZE = 1024
PRODUCED = 300_000
GIGABYTES_MAX = 6


class Readers:
    """Read the topic from its start again and again, until the end of the block."""

    def __init__(self, command, count):
        self.command = ["nice", "-n", "19", "sh", "-c", 'while "$@"; do :; done', "reader", *command]
        self.count = count
        self.processes = []

    def __enter__(self):
        self.processes = [subprocess.Popen(self.command, stdout=subprocess.DEVNULL, start_new_session=True)
                          for _ in range(self.count)]

    def __exit__(self, *_):
        for process in self.processes:
            if process.poll() is not None:
                raise SystemExit("a reader has failed")
            subprocess.run(["kill", "--", f"-{process.pid}"], check=True)
            process.wait()


def run(command, seconds):
    out = subprocess.run([*map(str, command)], check=True, capture_output=True, text=True, timeout=seconds).stdout
    return json.loads(out) if out.strip().startswith("{") else None


def cache_counts(data):
    address = json.loads((data / "listeners.json").read_text())["http"]
    text = urllib.request.urlopen(f"http://{address}/metrics", timeout=10).read().decode()
    return [float(re.search(rf"^talosmq_storage_{name}_total (\S+)$", text, re.M).group(1))
            for name in ("cache_hits", "cold_reads")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--readers", type=int, default=2)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--gigabytes", type=int, default=1, choices=range(1, GIGABYTES_MAX + 1))
    parser.add_argument("--seconds", type=int, default=120, help="bound of each command")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench.", dir=".") as folder:
        data = pathlib.Path(folder).resolve() / "data"
        server, address = start_server(options.bin, data)
        try:
            report(options, address, data)
        finally:
            server.terminate()
            server.wait()


def report(options, address, data):
    cli = [options.bin / "talosmq", "--server", address]
    records = options.gigabytes * 10**9 // SIZE
    run([*cli, "topic", "create", "old", "--partitions", 1], options.seconds)
    run(bench(options.bin, address, "produce", "--topic", "old", "--size", SIZE, "--records", records), options.seconds)
    produce = bench(options.bin, address, "produce", "--partitions", 1, "--size", SIZE, "--records", PRODUCED)
    read = ["timeout", "--foreground", str(options.seconds),
            *map(str, bench(options.bin, address, "consume", "--topic", "old", "--records", records))]
    alone, beside = [], []
    hits_before, cold_before = cache_counts(data)
    for _ in range(options.rounds):
        alone.append(run(produce, options.seconds)["records_per_second"])
        with Readers(read, options.readers):
            beside.append(run(produce, options.seconds)["records_per_second"])
    hits, cold = (after - before for after, before in zip(cache_counts(data), (hits_before, cold_before)))
    print(f"{'produce, records/s':<26}{'median':>12}{'min':>12}{'max':>12}")
    for what, rates in (("alone", alone), (f"beside {options.readers} readers", beside)):
        print(f"{what:<26}{statistics.median(rates):>12,.0f}{min(rates):>12,.0f}{max(rates):>12,.0f}")
    ratio = statistics.median(b / a for a, b in zip(alone, beside))
    print(f"ratio {ratio:.2f}; the tail cache answered {hits:,.0f} of {hits + cold:,.0f} reads")


if __name__ == "__main__":
    main()
