"""A client that shares nothing with the project but its .proto files.

python_client.py SERVER PROTO_DIR STUB_DIR: makes stubs with protoc, then produces and consumes
through plain protobuf messages, and asks reflection and health. Ends with status 0 when all is as
it must be.
"""

import os
import queue
import subprocess
import sys
import time

import grpc
import record_batch

TIMEOUT_S = 30
HERE = os.path.dirname(os.path.abspath(__file__))


def make_stubs(proto_dir, stub_dir):
    protos = ["talosmq/v1/%s.proto" % n for n in ("error", "message", "topic", "cluster", "dump")]
    plugin = "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin"
    for source, names in ((proto_dir, protos), (HERE, ["reflection.proto", "health.proto"])):
        subprocess.run(["protoc", "-I", source, "--python_out", stub_dir, "--grpc_out", stub_dir,
                        plugin] + names, check=True)
    sys.path.insert(0, stub_dir)


server, proto_dir, stub_dir = sys.argv[1:]
make_stubs(proto_dir, stub_dir)

import health_pb2  # noqa: E402  (made a moment ago)
import health_pb2_grpc  # noqa: E402
import reflection_pb2  # noqa: E402
import reflection_pb2_grpc  # noqa: E402
from google.protobuf import descriptor_pb2  # noqa: E402
from talosmq.v1 import cluster_pb2, cluster_pb2_grpc, error_pb2  # noqa: E402
from talosmq.v1 import message_pb2, message_pb2_grpc, topic_pb2, topic_pb2_grpc  # noqa: E402

channel = grpc.insecure_channel(server)
topics = topic_pb2_grpc.TopicServiceStub(channel)
messages = message_pb2_grpc.MessageServiceStub(channel)


def expect(condition, words):
    if not condition:
        sys.exit("python_client: " + words)


def expect_equal(found, expected, words):
    expect(found == expected, "%s: expected %r, found %r" % (words, expected, found))


def handshake():
    info = cluster_pb2_grpc.ClusterServiceStub(channel).GetServerInfo(
        cluster_pb2.GetServerInfoRequest(client_name="python"), timeout=TIMEOUT_S)
    expect(info.protocol_version_min <= 1 <= info.protocol_version_max, "version 1 is not spoken")
    expect(info.cluster_id, "no cluster id")


def errors_are_structured():
    try:
        topics.DescribeTopic(topic_pb2.DescribeTopicRequest(name="missing"), timeout=TIMEOUT_S)
        sys.exit("python_client: a missing topic was described")
    except grpc.RpcError as error:
        expect_equal(error.code(), grpc.StatusCode.NOT_FOUND, "code")
        trailers = dict(error.trailing_metadata())
        detail = error_pb2.Error.FromString(trailers["talosmq-error-bin"])
        expect_equal(detail.reason, error_pb2.REASON_UNKNOWN_TOPIC, "reason")
        expect("missing" in detail.message, "the words do not name the topic: " + detail.message)


def subscription(topic_id, partition, offset, number=1):
    return message_pb2.Subscription(subscription_id=number, topic_id=topic_id, partition=partition,
                                    offset=offset)


def produce_request(topic_id, partition, batch, number=1):
    return message_pb2.ProduceRequest(request_id=number, batches=[
        message_pb2.PartitionBatch(topic_id=topic_id, partition=partition, records=batch)])


def produce_and_consume(topic_id):
    now_ms = int(time.time() * 1000)
    records = [(b"key-%d" % i, b"value-%d" % i * 20, [(b"n", b"%d" % i)]) for i in range(500)]
    records.append((None, b"", []))
    batch = record_batch.build(records, now_ms)
    request = produce_request(topic_id, 0, batch, 42)
    broken = bytearray(batch)
    broken[-1] ^= 1
    request.batches.add(topic_id=topic_id, partition=1, records=bytes(broken))
    request.batches.add(topic_id=topic_id, partition=7, records=batch)
    reply = messages.ProduceOnce(request, timeout=TIMEOUT_S)
    expect_equal(reply.request_id, 42, "request id")
    good, bad_crc, bad_partition = reply.acks
    expect(not good.HasField("error"), "refused: %s" % good.error)
    expect_equal((good.base_offset, good.last_offset), (0, 500), "offsets")
    expect_equal(bad_crc.error.reason, error_pb2.REASON_CORRUPT_BATCH, "broken crc")
    expect_equal(bad_partition.error.reason, error_pb2.REASON_UNKNOWN_PARTITION, "partition 7")

    end = messages.ListOffsets(message_pb2.ListOffsetsRequest(partitions=[
        message_pb2.OffsetQuery(topic_id=topic_id, partition=p, end=True) for p in (0, 1)]),
        timeout=TIMEOUT_S)
    expect_equal([p.offset for p in end.partitions], [501, 0], "ends")

    fetched = messages.FetchOnce(message_pb2.FetchOnceRequest(
        partitions=[subscription(topic_id, 0, 0), subscription(topic_id, 1, 0, 2)], wait_ms=1000),
        timeout=TIMEOUT_S)
    read = list(record_batch.read(fetched.partitions[0].records))
    expect_equal([r[2:] for r in read], [(k, v, h) for k, v, h in records], "records")
    expect_equal([r[0] for r in read], list(range(501)), "offsets read")
    expect_equal({r[1] for r in read}, {now_ms}, "timestamps")
    expect_equal(fetched.partitions[0].next_offset, 501, "next offset")
    expect_equal(fetched.partitions[1].records, b"", "the partition that was never written")

    beyond = messages.FetchOnce(message_pb2.FetchOnceRequest(
        partitions=[subscription(topic_id, 0, 999)]), timeout=TIMEOUT_S)
    expect_equal(beyond.partitions[0].error.reason, error_pb2.REASON_OFFSET_OUT_OF_RANGE, "offset 999")


def streams(topic_id):
    to_send = queue.Queue()
    acks = messages.Produce(iter(to_send.get, None), timeout=TIMEOUT_S)
    for number in range(10):
        batch = record_batch.build([(None, b"stream %d" % number, [])], 1_700_000_000_000)
        to_send.put(produce_request(topic_id, 1, batch, number))
    answered = set()
    while len(answered) < 10:
        reply = next(acks)
        expect(not reply.acks[0].HasField("error"), "refused: %s" % reply.acks[0].error)
        answered.add(reply.request_id)
    to_send.put(None)
    expect_equal(list(acks), [], "answers after the last")

    wishes = queue.Queue()
    wishes.put(message_pb2.FetchRequest(subscribe=[subscription(topic_id, 1, 0)],
                                        credit_bytes=1 << 20))
    answers = messages.Fetch(iter(wishes.get, None), timeout=TIMEOUT_S)
    values = []
    while len(values) < 10:
        for partition in next(answers).partitions:
            values += [r[3] for r in record_batch.read(partition.records)]
    expect_equal(values, [b"stream %d" % i for i in range(10)], "streamed records")
    answers.cancel()
    wishes.put(None)


def reflection():
    stub = reflection_pb2_grpc.ServerReflectionStub(channel)
    requests = [reflection_pb2.ServerReflectionRequest(list_services=""),
                reflection_pb2.ServerReflectionRequest(
                    file_containing_symbol="talosmq.v1.MessageService")]
    listed, described = stub.ServerReflectionInfo(iter(requests), timeout=TIMEOUT_S)
    names = {s.name for s in listed.list_services_response.service}
    ours = {"talosmq.v1.%sService" % n for n in ("Message", "Topic", "Cluster", "Dump")}
    expect(ours <= names, "reflection lists %s only" % names)
    files = [descriptor_pb2.FileDescriptorProto.FromString(f)
             for f in described.file_descriptor_response.file_descriptor_proto]
    expect("talosmq/v1/message.proto" in {f.name for f in files}, "message.proto is not described")


def health():
    stub = health_pb2_grpc.HealthStub(channel)
    for service in ("", "talosmq.v1.MessageService"):
        reply = stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=TIMEOUT_S)
        expect_equal(reply.status, health_pb2.HealthCheckResponse.SERVING, "health of " + service)


handshake()
errors_are_structured()
created = topics.CreateTopic(topic_pb2.CreateTopicRequest(name="from-python", partitions=2),
                             timeout=TIMEOUT_S)
produce_and_consume(created.topic_id)
streams(created.topic_id)
reflection()
health()
print("python_client: all is as it must be")
