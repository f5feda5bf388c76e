"""A server that plays one broker, with records in memory and a coordinator that does what the test says."""

import concurrent.futures
import threading
import time

import grpc

from talosmq.codecs import Codec
from talosmq.record_batch import BatchBuilder
from talosmq.v1 import cluster_pb2, cluster_pb2_grpc, consumer_pb2, consumer_pb2_grpc, error_pb2, message_pb2
from talosmq.v1 import message_pb2_grpc, topic_pb2, topic_pb2_grpc


def topic_id(name):
    return name.encode().ljust(16, b".")


class FakeBroker(cluster_pb2_grpc.ClusterServiceServicer, topic_pb2_grpc.TopicServiceServicer,
                 message_pb2_grpc.MessageServiceServicer, consumer_pb2_grpc.ConsumerServiceServicer):
    """Everything that it was told and what it answers is guarded by `changed`, which is notified by both."""

    def __init__(self):
        self.changed = threading.Condition()
        self.topics = {}  # name: [values] of each partition
        self.target = []  # (topic name, partition): what the member is assigned
        self.generation = 1
        self.lease_ms = 10_000
        self.refusals = {}  # by method: reasons of the next answers, one each; [None]: silence from now on
        self.calls = []  # (method, request)
        self.cancelled = []  # sequences of heartbeats that the member gave up
        self.committed = {}  # by (topic name, partition)
        self.metadata = {}  # of these
        self._is_over = False
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(32))
        for add in (cluster_pb2_grpc.add_ClusterServiceServicer_to_server,
                    topic_pb2_grpc.add_TopicServiceServicer_to_server,
                    message_pb2_grpc.add_MessageServiceServicer_to_server,
                    consumer_pb2_grpc.add_ConsumerServiceServicer_to_server):
            add(self, self._server)
        self.address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()

    def stop(self):
        with self.changed:
            self._is_over = True
            self.changed.notify_all()
        self._server.stop(None).wait()

    # What a test says and asks.

    def assign(self, *target):
        with self.changed:
            self.target = list(target)
            self.generation += 1
            self.changed.notify_all()

    def refuse(self, method, *reasons):
        with self.changed:
            self.refusals[method] = list(reasons)
            self.changed.notify_all()

    def append(self, topic, partition, *values):
        with self.changed:
            self.topics[topic][partition].extend(values)
            self.changed.notify_all()

    def requests(self, method):
        with self.changed:
            return [request for name, request in self.calls if name == method]

    def wait_for(self, condition, words, timeout_s=20):
        with self.changed:
            if not self.changed.wait_for(condition, timeout_s):
                raise AssertionError(f"waited in vain: {words}")

    # What it answers.

    def _enter(self, method, request, context):
        with self.changed:
            self.calls.append((method, request))
            self.changed.notify_all()
            refusals = self.refusals.get(method)
            if not refusals:
                return
            reason = refusals[0] if refusals == [None] else refusals.pop(0)
            if reason is None:
                while not self._is_over and context.is_active():
                    self.changed.wait(0.05)
                context.abort(grpc.StatusCode.CANCELLED, "given up")
        context.set_trailing_metadata([("talosmq-error-bin", error_pb2.Error(
            reason=reason, message=f"{method} refused").SerializeToString())])
        context.abort(grpc.StatusCode.FAILED_PRECONDITION, "refused")

    def GetServerInfo(self, request, context):
        return cluster_pb2.GetServerInfoResponse(version="fake", protocol_version_min=1, protocol_version_max=1)

    def GetMetadata(self, request, context):
        self._enter("GetMetadata", request, context)
        with self.changed:
            topics = [topic_pb2.TopicMetadata(name=name, topic_id=topic_id(name), partitions=[
                topic_pb2.PartitionMetadata(leader=0, leader_epoch=3)] * len(partitions))
                for name, partitions in self.topics.items()
                if topic_id(name) in request.topic_ids or name in request.names]
        for asked in request.topic_ids:
            if asked not in [topic.topic_id for topic in topics]:
                topics.append(topic_pb2.TopicMetadata(topic_id=asked, error=error_pb2.Error(
                    reason=error_pb2.REASON_UNKNOWN_TOPIC_ID, message="deleted")))
        return topic_pb2.GetMetadataResponse(
            brokers=[topic_pb2.BrokerMetadata(broker=0, address=self.address)], topics=topics)

    def ListOffsets(self, request, context):
        with self.changed:
            return message_pb2.ListOffsetsResponse(partitions=[message_pb2.PartitionOffset(
                topic_id=q.topic_id, partition=q.partition,
                offset=len(self._values(q)) if q.WhichOneof("spec") == "end" else 0) for q in request.partitions])

    def FetchOnce(self, request, context):
        self._enter("FetchOnce", request, context)
        deadline = time.monotonic() + request.wait_ms / 1000
        with self.changed:
            while not (answers := self._fetched(request)):
                left_s = deadline - time.monotonic()
                if left_s <= 0 or self._is_over or not context.is_active():
                    break
                self.changed.wait(min(left_s, 0.05))
        return message_pb2.FetchResponse(partitions=answers)

    def _fetched(self, request):
        answers = []
        for asked in request.partitions:
            values = self._values(asked)
            if asked.offset < len(values):
                builder = BatchBuilder(Codec.NONE)
                for value in values[asked.offset:]:
                    builder.append(None, value, (), 1000)
                builder.seal()
                batch = builder.stamp()
                answers.append(message_pb2.FetchedPartition(
                    subscription_id=asked.subscription_id, topic_id=asked.topic_id, partition=asked.partition,
                    high_watermark=len(values), next_offset=len(values),
                    records=asked.offset.to_bytes(8, "big") + batch[8:12] + (3).to_bytes(4, "big") + batch[16:]))
        return answers

    def _values(self, asked):
        name = asked.topic_id.rstrip(b".").decode()
        return self.topics[name][asked.partition]

    def Heartbeat(self, request, context):
        self._enter("Heartbeat", request, context)
        deadline = time.monotonic() + request.wait_ms / 1000
        with self.changed:
            while request.generation == self.generation and not self._is_over:
                left_s = deadline - time.monotonic()
                if left_s <= 0:
                    break
                if not context.is_active():
                    self.cancelled.append(request.sequence)
                    self.changed.notify_all()
                    break
                self.changed.wait(min(left_s, 0.05))
            return consumer_pb2.HeartbeatResponse(
                member_id=request.member_id, generation=self.generation, lease_ms=self.lease_ms,
                assigned=[consumer_pb2.GroupPartition(topic_id=topic_id(name), partition=p) for name, p in self.target])

    def CommitOffsets(self, request, context):
        self._enter("CommitOffsets", request, context)
        with self.changed:
            answers = [self._commit(one) for one in request.offsets]
            self.changed.notify_all()
        return consumer_pb2.CommitOffsetsResponse(partitions=answers)

    def _commit(self, one):
        answer = consumer_pb2.CommittedPartition(topic_id=one.topic_id, partition=one.partition)
        place = (one.topic_id.rstrip(b".").decode(), one.partition)
        if one.HasField("expected_offset") and self.committed.get(place, -1) != one.expected_offset:
            answer.error.CopyFrom(error_pb2.Error(reason=error_pb2.REASON_CONFLICT, message="another is committed"))
        else:
            self.committed[place] = one.offset
            self.metadata[place] = one.metadata
        return answer

    def FetchOffsets(self, request, context):
        self._enter("FetchOffsets", request, context)
        with self.changed:
            places = [(one.topic_id.rstrip(b".").decode(), one.partition) for one in request.partitions]
            return consumer_pb2.FetchOffsetsResponse(offsets=[
                consumer_pb2.CommittedOffset(topic_id=topic_id(place[0]), partition=place[1],
                                             offset=self.committed.get(place), metadata=self.metadata.get(place))
                for place in places])

    def LeaveGroup(self, request, context):
        self._enter("LeaveGroup", request, context)
        return consumer_pb2.LeaveGroupResponse()
