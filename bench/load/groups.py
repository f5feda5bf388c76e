"""What consumer groups cost a server: rebalances, commits, idle members.

Usage: groups.py [--rounds N] [--bin DIR] [--members N] [--partitions N] [--idle N] [--a-stream N]

rebalance: of MEMBERS members over PARTITIONS partitions one leaves, or is silent until its lease ends; the time
until all partitions have an owner among the others. commits: committed offsets a second, 100 partitions a call,
32 calls at a time, each durable. idle: IDLE members in groups of 10 that only send heartbeats, A-STREAM of them by
one Heartbeats stream on a connection of its own; the processor time of the server, of one core. Every wait has a
bound in time. DIR defaults to build/release/bin.
"""

import argparse
import asyncio
import functools
import os
import pathlib
import statistics
import sys
import tempfile
import time

from overload import ROOT, start_server

sys.path.insert(0, str(ROOT / "tests/support"))
import talosmq_package  # noqa: E402,F401  (makes the package importable)

import grpc  # noqa: E402
from talosmq.v1 import consumer_pb2, consumer_pb2_grpc, error_pb2, topic_pb2, topic_pb2_grpc  # noqa: E402

LEASE_MS = 10_000
WAIT_MS = 3_000
SECONDS_MAX = 120
PARTITIONS_A_CALL = 100
CALLS_AT_A_TIME = 32
IDLE_SECONDS = 15
ANSWER_SECONDS_MAX = 30
HEARTBEATS_A_MESSAGE = 256
RETRIED = (error_pb2.REASON_COORDINATOR_NOT_AVAILABLE, error_pb2.REASON_CONFLICT, error_pb2.REASON_OVERLOADED)


class Refused(Exception):
    """A heartbeat was answered with an error; its reason."""


class HeartbeatStream:
    """Carries the heartbeats of many members; those that are ready together share a message."""

    def __init__(self, stub):
        self.call, self.last_number, self.answers, self.ready = stub.Heartbeats(), 0, {}, asyncio.Queue()
        self.tasks = [asyncio.create_task(self.write()), asyncio.create_task(self.read())]

    async def heartbeat(self, request):
        self.last_number += 1
        number, answer = self.last_number, asyncio.get_running_loop().create_future()
        self.answers[number] = answer
        self.ready.put_nowait(consumer_pb2.NumberedHeartbeat(number=number, heartbeat=request))
        try:
            return await asyncio.wait_for(answer, ANSWER_SECONDS_MAX)
        finally:
            del self.answers[number]

    async def write(self):
        while True:
            heartbeats = [await self.ready.get()]
            while not self.ready.empty() and len(heartbeats) < HEARTBEATS_A_MESSAGE:
                heartbeats.append(self.ready.get_nowait())
            await self.call.write(consumer_pb2.HeartbeatsRequest(heartbeats=heartbeats))

    async def read(self):
        async for message in self.call:
            for answer in message.answers:
                waiting = self.answers.get(answer.number)
                if waiting is None or waiting.done():
                    continue
                if answer.HasField("error"):
                    waiting.set_exception(Refused(answer.error.reason))
                else:
                    waiting.set_result(answer.response)

    def close(self):
        for task in self.tasks:
            task.cancel()
        self.call.cancel()


class Member:
    """Heartbeats until it is told to be silent; what it is assigned it owns at once. heartbeat(request): the answer."""

    def __init__(self, heartbeat, group, topic, number):
        self.heartbeat, self.group, self.topic = heartbeat, group, topic
        self.member_id, self.sequence, self.generation, self.owned = f"m{number}", 0, 0, []

    async def beat(self):
        self.sequence += 1
        request = consumer_pb2.HeartbeatRequest(
            group=self.group, member_id=self.member_id, sequence=self.sequence, generation=self.generation,
            owned=self.owned, lease_ms=LEASE_MS, wait_ms=WAIT_MS)
        if self.generation == 0:
            request.subscription.topics.append(self.topic)
        answer = await self.heartbeat(request)
        self.generation, self.owned = answer.generation, list(answer.assigned)

    async def live(self, owners):
        while True:
            try:
                await self.beat()
            except grpc.aio.AioRpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.ABORTED):
                    raise
                await asyncio.sleep(0.05)
            except Refused as refusal:
                if refusal.args[0] not in RETRIED:
                    raise
                await asyncio.sleep(0.05)
            owners.update(self)


class Owners:
    """Who has how many partitions, and a wait for all of them."""

    def __init__(self, partitions):
        self.partitions, self.counts, self.full = partitions, {}, asyncio.Event()

    def update(self, member):
        self.counts[member.member_id] = len(member.owned)
        if sum(self.counts.values()) == self.partitions:
            self.full.set()

    def forget(self, member):
        self.full.clear()
        self.counts.pop(member.member_id)


async def rebalances(stub, topic, partitions, members, round_number, leaves):
    group = f"bench-{round_number}-{leaves}"
    owners = Owners(partitions)
    heartbeat = functools.partial(stub.Heartbeat, timeout=ANSWER_SECONDS_MAX)
    all_members = [Member(heartbeat, group, topic, i) for i in range(members)]
    tasks = [asyncio.create_task(member.live(owners)) for member in all_members]
    await asyncio.wait_for(owners.full.wait(), SECONDS_MAX)
    await asyncio.sleep(WAIT_MS / 1000)
    tasks[0].cancel()
    await asyncio.sleep(0)
    owners.forget(all_members[0])
    begin = time.monotonic()
    if leaves:
        await stub.LeaveGroup(consumer_pb2.LeaveGroupRequest(group=group, member_id=all_members[0].member_id))
    await asyncio.wait_for(owners.full.wait(), SECONDS_MAX)
    taken = time.monotonic() - begin
    for task in tasks[1:]:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return taken


async def commits(stub, topic_id, partitions, seconds=5):
    calls = 0
    end = time.monotonic() + seconds

    async def commit(worker):
        nonlocal calls
        offset = 0
        while time.monotonic() < end:
            offset += 1
            request = consumer_pb2.CommitOffsetsRequest(group=f"commits-{worker}")
            for partition in range(min(PARTITIONS_A_CALL, partitions)):
                request.offsets.add(topic_id=topic_id, partition=partition, offset=offset)
            answer = await stub.CommitOffsets(request, timeout=30)
            if any(p.HasField("error") for p in answer.partitions):
                raise SystemExit(f"a commit was refused: {answer.partitions[0].error}")
            calls += 1

    begin = time.monotonic()
    await asyncio.gather(*(commit(worker) for worker in range(CALLS_AT_A_TIME)))
    return calls * min(PARTITIONS_A_CALL, partitions) / (time.monotonic() - begin)


def processor_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def idle(address, topic, count, a_stream, pid):
    channels = [grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)])
                for _ in range((count + a_stream - 1) // a_stream)]
    streams = [HeartbeatStream(consumer_pb2_grpc.ConsumerServiceStub(channel)) for channel in channels]
    owners = Owners(-1)
    members = []
    tasks = []
    for i in range(count):
        member = Member(streams[i // a_stream].heartbeat, f"idle-{i // 10}", topic, i)
        members.append(member)
        tasks.append(asyncio.create_task(member.live(owners)))
        if i % 100 == 99:
            await asyncio.sleep(0.2)
    await asyncio.sleep(2 * WAIT_MS / 1000)
    before, begin = processor_seconds(pid), time.monotonic()
    sent_before = sum(member.sequence for member in members)
    await asyncio.sleep(IDLE_SECONDS)
    seconds = time.monotonic() - begin
    share = (processor_seconds(pid) - before) / seconds
    heartbeats = (sum(member.sequence for member in members) - sent_before) / seconds
    live = sum(1 for task in tasks if not task.done())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for stream in streams:
        stream.close()
    for channel in channels:
        await channel.close()
    if live < count:
        raise SystemExit(f"only {live:,} of {count:,} idle members were live at the end")
    return share, heartbeats


async def retried(call):
    """The first call about groups makes their topic."""
    while True:
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            await asyncio.sleep(0.1)


async def report(options, address, pid):
    async with grpc.aio.insecure_channel(address) as channel:
        topics = topic_pb2_grpc.TopicServiceStub(channel)
        stub = consumer_pb2_grpc.ConsumerServiceStub(channel)
        topic = await topics.CreateTopic(topic_pb2.CreateTopicRequest(name="t", partitions=options.partitions))
        await topics.CreateTopic(topic_pb2.CreateTopicRequest(name="small", partitions=10))
        await retried(lambda: stub.FetchOffsets(consumer_pb2.FetchOffsetsRequest(group="first")))
        results = {}
        for number in range(options.rounds):
            for name, leaves in (("rebalance after a leave, s", True), ("rebalance after a kill, s", False)):
                taken = await rebalances(stub, "t", options.partitions, options.members, number, leaves)
                results.setdefault(name, []).append(taken)
            results.setdefault("commits of a partition/s", []).append(
                await commits(stub, topic.topic_id, options.partitions))
    share, heartbeats = await idle(address, "small", options.idle, options.a_stream, pid)
    print(f"{'':<30}{'median':>12}{'min':>12}{'max':>12}")
    for name, values in results.items():
        print(f"{name:<30}{statistics.median(values):>12,.2f}{min(values):>12,.2f}{max(values):>12,.2f}")
    print(f"{options.idle:,} idle members, {heartbeats:,.0f} heartbeats/s: {share:.3f} of a core")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build/release/bin")
    parser.add_argument("--members", type=int, default=100)
    parser.add_argument("--partitions", type=int, default=1000)
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--a-stream", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench.", dir=".") as folder:
        server, address = start_server(options.bin, pathlib.Path(folder).resolve() / "data")
        try:
            asyncio.run(report(options, address, server.pid))
        finally:
            server.terminate()
            server.wait()


if __name__ == "__main__":
    main()
