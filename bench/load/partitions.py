"""What many partitions cost: durable throughput, memory, and a start.

Usage: partitions.py [--rounds N] [--bin DIR] [--records N] [PARTITIONS ...]

For each number of partitions (1, 1000 and 10000) `talosmq bench produce` spreads records of 1 KB
evenly over all of them. The first round, in which every log is opened and begun, counts by itself.
Then the server is stopped and started, and killed and started, until it serves: until a describe of
the topic, which opens every log, is answered. DIR defaults to build/release/bin.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import tempfile
import time

import overload

BUFFER_BYTES = 256 << 20


def resident_mb(server):
    status = pathlib.Path(f"/proc/{server.pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS")) / 1024


def talosmq(bin_dir, address, *arguments):
    command = [bin_dir / "talosmq", "--server", address, "-o", "json", *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def produce(bin_dir, address, records, partitions):
    # Full batches, as large as a buffer of 256 MiB can fill for all partitions at once.
    batch_kib = max(17, min(1024, BUFFER_BYTES // 3 * 2 // 1024 // partitions))
    document = talosmq(bin_dir, address, "bench", "produce", "--topic", "load", "--size", 1024,
                       "--records", records, "--spread", "even", "--batch-size", f"{batch_kib}KiB",
                       "--linger", "20s")
    return document["records_per_second"]


def start(bin_dir, data):
    """Seconds until it is ready, and until every log was opened."""
    (data / "listeners.json").unlink(missing_ok=True)
    began = time.monotonic()
    server, address = overload.start_server(bin_dir, data)
    ready = time.monotonic() - began
    talosmq(bin_dir, address, "topic", "describe", "load")
    return server, address, ready, time.monotonic() - began


def measure(options, partitions, data):
    server, address = overload.start_server(options.bin, data)
    try:
        began = time.monotonic()
        talosmq(options.bin, address, "topic", "create", "load", "-p", partitions)
        created = time.monotonic() - began
        first = produce(options.bin, address, options.records, partitions)
        rates = [produce(options.bin, address, options.records, partitions) for _ in range(options.rounds)]
        memory = resident_mb(server)
        server.terminate()
        server.wait()
        server, address, clean_ready, clean = start(options.bin, data)
        produce(options.bin, address, options.records // 10, partitions)
        server.kill()
        server.wait()
        server, address, killed_ready, killed = start(options.bin, data)
    finally:
        server.kill()
        server.wait()
    print(f"{partitions:>10}{created:>9.2f}{first:>10,.0f}{statistics.median(rates):>10,.0f}"
          f"{min(rates):>10,.0f}{max(rates):>10,.0f}{memory:>8.0f}{clean_ready:>8.2f}{clean:>7.2f}"
          f"{killed_ready:>8.2f}{killed:>7.2f}", flush=True)
    return statistics.median(rates)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bin", type=pathlib.Path, default=overload.ROOT / "build/release/bin")
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("partitions", type=int, nargs="*", default=[1, 1000, 10_000])
    options = parser.parse_args()
    print("partitions create,s first,r/s    median       min       max  RSS,MB clean,s all,s killed,s all,s")
    rates = []
    for partitions in options.partitions:
        with tempfile.TemporaryDirectory(prefix="bench.", dir=".") as folder:
            rates.append(measure(options, partitions, pathlib.Path(folder).resolve() / "data"))
    print("of the first: " + ", ".join(f"{rate / rates[0]:.2f}" for rate in rates))


if __name__ == "__main__":
    main()
