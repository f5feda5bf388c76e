"""A real server whose disk loses its power under load: nothing acknowledged is lost, nothing damaged.

On two disks. One is a real ext4 in an image file. Its power is cut by the kernel's own shutdown of an ext4, at once
and without a flush of its journal: from then on nothing reaches the image. Loop mounts need root and loop devices;
where there are none the test says so. The other one needs nothing: tests/support/power_switch.cc, preloaded into the
server, keeps beside its folder what is left of it when nothing survives that was not synced, be it bytes or names.

Three rounds over one disk, or thirty with TALOSMQ_TEST_LENGTH=long. TALOSMQ_TEST_SEED=N runs the rounds of that seed.
"""

import contextlib
import fcntl
import json
import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import textwrap
import unittest

from talosmq_process import BIN, Server, start_talosmq, talosmq

IS_LONG = os.environ.get("TALOSMQ_TEST_LENGTH") == "long"
ROUNDS = 30 if IS_LONG else 3
CHUNKS = 40  # A round.
LINES_MAX = 1_500  # In a chunk.
IMAGE_BYTES = 512 << 20
PARTITIONS = 40  # So many that a flush group goes to the journal, so few that one log fills.
TOPIC = "orders"
MOUNT_OPTIONS = ("data=ordered", "data=writeback")

EXT4_IOC_SHUTDOWN = 0x8004587D
EXT4_GOING_FLAGS_NOLOGFLUSH = 2


class Ext4Disk:
    """A small ext4 in an image file, with a power switch."""

    variables = {}

    def __init__(self, directory):
        self.image = pathlib.Path(directory) / "image"
        self.mounted_at = pathlib.Path(directory) / "disk"
        self.mounted_at.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(IMAGE_BYTES)
        subprocess.run(["mkfs.ext4", "-q", self.image], check=True)

    def mount(self, options):
        done = subprocess.run(["mount", "-t", "ext4", "-o", f"loop,{options}", self.image, self.mounted_at],
                              stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise OSError(done.stderr.strip())

    def cut_power(self, process):
        directory = os.open(self.mounted_at, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, EXT4_IOC_SHUTDOWN, struct.pack("I", EXT4_GOING_FLAGS_NOLOGFLUSH))
        finally:
            os.close(directory)
        process.kill()
        process.wait()

    def unmount(self):
        subprocess.run(["umount", self.mounted_at], check=True)


class StrictDisk:
    """A folder that holds after a power cut what was synced and nothing else. For programs with its variables."""

    def __init__(self, directory):
        self.root = pathlib.Path(directory) / "strict"
        self.mounted_at = self.root / "live"
        self.durable = self.root / "durable"
        self.durable.mkdir(parents=True)
        self.variables = {"LD_PRELOAD": str(BIN / "libtalosmq_power_switch.so"), "TALOSMQ_POWER_SWITCH": str(self.root)}

    def mount(self, _):
        """Only what is durable is there."""
        shutil.rmtree(self.mounted_at, ignore_errors=True)
        self.durable.rename(self.mounted_at)
        shutil.copytree(self.mounted_at, self.durable)
        for name in ("synced", "pinned"):
            shutil.rmtree(self.root / name, ignore_errors=True)
            (self.root / name).mkdir()
        for path in self.mounted_at.rglob("*"):
            if path.is_file():
                inode = str(path.stat().st_ino)
                os.link(path, self.root / "pinned" / inode)
                os.link(self.durable / path.relative_to(self.mounted_at), self.root / "synced" / inode)

    def cut_power(self, process):
        with open(self.root / "switch", "w") as switch:
            fcntl.flock(switch, fcntl.LOCK_EX)
            process.kill()
            process.wait()

    def unmount(self):
        pass


# What the programs that are written on the strict disk begin with.
WRITER = """
import ctypes, os, sys
libc = ctypes.CDLL(None)

def put(path, position, content, then=os.fsync):
    file = os.open(path, os.O_RDWR | os.O_CREAT)
    os.pwrite(file, content, position)
    then(file)

def sync(directory, how=os.fsync):
    how(os.open(directory, os.O_RDONLY))
"""
DONE = """
print("done", flush=True)
sys.stdin.read()
"""


def why_nothing_can_be_mounted(disk):
    """Nothing when it can."""
    try:
        disk.mount(MOUNT_OPTIONS[0])
    except OSError as error:
        return str(error)
    disk.unmount()
    return None


class DiskServer(Server):
    """A server whose data lie on a disk of their own; its log does not."""

    def __init__(self, disk):
        self.disk = disk
        self.variables = disk.variables
        super().__init__()

    def start(self, settings=()):
        self.data = self.disk.mounted_at / "data"
        super().start(settings)


class Acknowledged:
    """What was sent, what was acknowledged and what was seen, over all rounds."""

    def __init__(self):
        self.sent = 0
        self.offsets = set()  # Pairs of partition and offset.
        self.seen = {}  # The value at each of them.

    def add(self, answer):
        offsets = range(answer["first_offset"], answer["last_offset"] + 1)
        self.offsets.update((answer["partition"], offset) for offset in offsets)
        return answer["count"]


class PowerCutTest(unittest.TestCase):
    def setUp(self):
        self.seed = int(os.environ.get("TALOSMQ_TEST_SEED", random.randrange(1 << 32)))
        self.random = random.Random(self.seed)
        directory = tempfile.TemporaryDirectory(prefix="talosmq-test.")
        self.addCleanup(directory.cleanup)
        self.directory = directory.name
        self.known = Acknowledged()

    def run_ok(self, server, *arguments):
        status, out, err = talosmq(server, *arguments, timeout=120)
        self.assertEqual(status, 0, f"{arguments}: {out}{err}")
        return out

    def send(self, producer):
        """Records with numbers of their own and bytes that make them small or large; how many."""
        count = self.random.choice((1, 10, LINES_MAX))
        padding = "v" * self.random.choice((10, 100, 1_000))
        first = self.known.sent
        self.known.sent += count
        producer.stdin.write("".join(f"{first + i} {padding}\n" for i in range(count)).encode())
        producer.stdin.flush()
        return count

    def acknowledge(self, producer):
        """Waits for one answer; how many records it is about."""
        return self.known.add(json.loads(producer.stdout.readline()))

    def produce_until_the_power_is_cut(self, server):
        with start_talosmq(server, "produce", TOPIC, "-o", "json") as producer:
            for _ in range(self.random.randrange(CHUNKS)):
                left = self.send(producer)
                while left > 0:
                    left -= self.acknowledge(producer)
            self.send(producer)
            for _ in range(self.random.randrange(2)):
                self.acknowledge(producer)
            self.disk.cut_power(server.process)
            producer.kill()
            # What it was told before, of which the last line may be half of one.
            for line in producer.stdout.read().splitlines(keepends=True):
                if line.endswith(b"\n"):
                    self.known.add(json.loads(line))

    def check(self, server):
        """G1, G2 and G3, and that no damage is reported."""
        out = self.run_ok(server, "consume", TOPIC, "-O", "start", "-e", "-f", "%p %o %v\\n")
        found, last = {}, {}
        for line in out.splitlines():
            partition, offset, value, _ = line.split(" ")
            partition, offset, value = int(partition), int(offset), int(value)
            before = last.get(partition, (-1, -1))
            self.assertEqual(offset, before[0] + 1, f"partition {partition} is not dense")
            self.assertGreater(value, before[1], f"partition {partition} offset {offset}: not in order")
            self.assertLess(value, self.known.sent, "nobody has sent it")
            last[partition] = (offset, value)
            found[partition, offset] = value
        gone = sorted(self.known.offsets - found.keys())
        self.assertEqual(gone[:10], [], f"{len(gone)} were acknowledged and are gone")
        self.assertEqual(len(set(found.values())), len(found), "a record stands twice")
        changed = [place for place, value in self.known.seen.items() if found.get(place) != value]
        self.assertEqual(changed[:10], [], f"{len(changed)} were seen before the cut and are not the same")
        self.known.seen = found
        health = json.loads(self.run_ok(server, "cluster", "health", "-o", "json"))
        self.assertEqual(health["problems"], [])
        self.run_ok(server, "log", "verify", server.data)

    @contextlib.contextmanager
    def server_on_the_disk(self, mount_options):
        self.disk.mount(mount_options)
        try:
            server = DiskServer(self.disk)
            try:
                yield server
            finally:
                server.stop()
        finally:
            self.disk.unmount()

    def cut_power_under_load(self, disk):
        self.disk = disk
        print(f"TALOSMQ_TEST_SEED={self.seed}", file=sys.stderr)
        for number in range(ROUNDS):
            with self.server_on_the_disk(MOUNT_OPTIONS[number % len(MOUNT_OPTIONS)]) as server:
                if number == 0:
                    self.run_ok(server, "topic", "create", TOPIC, "-p", str(PARTITIONS))
                self.check(server)
                self.produce_until_the_power_is_cut(server)
        with self.server_on_the_disk(MOUNT_OPTIONS[0]) as server:
            self.check(server)
        self.assertGreater(len(self.known.offsets), ROUNDS)

    def test_what_was_acknowledged_survives_power_cuts_of_an_ext4(self):
        disk = Ext4Disk(self.directory)
        if reason := why_nothing_can_be_mounted(disk):
            print(f"only the strict disk is tested: no ext4 can be mounted here: {reason}", file=sys.stderr)
            return
        self.cut_power_under_load(disk)

    def test_what_was_acknowledged_survives_power_cuts_of_a_strict_disk(self):
        self.cut_power_under_load(StrictDisk(self.directory))

    def test_strict_disk_keeps_what_was_synced_and_nothing_else(self):
        disk = StrictDisk(self.directory)

        def run_until_the_power_is_cut(program):
            disk.mount("")
            process = subprocess.Popen([sys.executable, "-c", WRITER + textwrap.dedent(program) + DONE], cwd=disk.mounted_at, text=True,
                                       env=os.environ | disk.variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            self.assertEqual(process.stdout.readline(), "done\n")
            disk.cut_power(process)
            process.stdin.close()
            process.stdout.close()
            disk.mount("")
            return {str(path.relative_to(disk.mounted_at)): path.read_text() if path.is_file() else None
                    for path in disk.mounted_at.rglob("*")}

        self.assertEqual(
            run_until_the_power_is_cut("""
                os.mkdir("folder"), os.mkdir("unsynced")
                put("folder/both", 0, b"abc"), put("folder/name", 0, b"abc", os.close), put("unsynced/file", 0, b"abc")
                sync("folder")
                """), {}, "the name of the folder is not synced")
        both = {"folder": None, "folder/both": "abc", "folder/name": ""}
        self.assertEqual(
            run_until_the_power_is_cut("""
                os.mkdir("folder")
                sync(".")
                put("folder/both", 0, b"abc"), put("folder/name", 0, b"abc", os.close)
                sync("folder")
                put("folder/late", 0, b"abc"), put("folder/both", 1, b"BCD", os.close)
                os.unlink("folder/name")
                """), both, "neither are later names and bytes, nor is the name gone")
        self.assertEqual(
            run_until_the_power_is_cut("""
                put("new", 0, b"new"), os.rename("new", "folder/both")
                put("folder/name", 1, b"bc")
                """), both | {"folder/name": "\0bc"}, "bytes do not need the name to be synced once more")
        self.assertEqual(
            run_until_the_power_is_cut("""
                put("new", 0, b"new", os.close), os.rename("new", "folder/both")
                os.unlink("folder/name"), os.mkdir("folder/below"), put("folder/below/file", 0, b"below", os.close)
                sync(".", libc.syncfs)
                """), {"folder": None, "folder/both": "new", "folder/below": None, "folder/below/file": "below"})


if __name__ == "__main__":
    unittest.main()
