"""Talks to a server through stubs made from the published .proto files."""

import pathlib
import subprocess
import sys
import tempfile

import grpc

PROTO = pathlib.Path(__file__).resolve().parent.parent.parent / "proto"
_stubs = tempfile.TemporaryDirectory(prefix="talosmq-stubs.")

subprocess.run(["protoc", "-I", PROTO, "--python_out", _stubs.name, "--grpc_out", _stubs.name,
                "--plugin=protoc-gen-grpc=/usr/bin/grpc_python_plugin",
                *(f"talosmq/v1/{name}.proto" for name in ("error", "message", "topic", "cluster", "dump"))],
               check=True)
sys.path.insert(0, _stubs.name)

from talosmq.v1 import cluster_pb2, cluster_pb2_grpc, dump_pb2_grpc, error_pb2  # noqa: E402  (made above)
from talosmq.v1 import message_pb2, message_pb2_grpc, topic_pb2, topic_pb2_grpc  # noqa: E402

__all__ = ["Connection", "cluster_pb2", "error_pb2", "message_pb2", "topic_pb2", "error_of", "produce_request",
           "subscription"]


class Connection:
    """One client: a TCP connection of its own and the services on it."""

    def __init__(self, address):
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_send_message_length", -1),
                   ("grpc.max_receive_message_length", -1)]
        self.channel = grpc.insecure_channel(address, options)
        self.messages = message_pb2_grpc.MessageServiceStub(self.channel)
        self.topics = topic_pb2_grpc.TopicServiceStub(self.channel)
        self.cluster = cluster_pb2_grpc.ClusterServiceStub(self.channel)
        self.dumps = dump_pb2_grpc.DumpServiceStub(self.channel)

    def close(self):
        self.channel.close()


def produce_request(topic_id, partition, batch, number=1):
    return message_pb2.ProduceRequest(request_id=number, batches=[
        message_pb2.PartitionBatch(topic_id=topic_id, partition=partition, records=batch)])


def subscription(topic_id, partition, offset, number=1):
    return message_pb2.Subscription(subscription_id=number, topic_id=topic_id, partition=partition, offset=offset)


def error_of(call):
    """The structured error of a unary call that failed."""
    return error_pb2.Error.FromString(dict(call.trailing_metadata())["talosmq-error-bin"])
