"""Committed offsets of a group, on the wire. A committed offset is the next one to read."""

from talosmq.errors import error_of_message
from talosmq.v1 import consumer_pb2


def fetch_committed(client, group, keys, timeout_s=None):
    """{(topic id, partition): offset} of those keys that have one."""
    request = consumer_pb2.FetchOffsetsRequest(
        group=group, partitions=[consumer_pb2.GroupPartition(topic_id=t, partition=p) for t, p in keys])
    found = client.ask(lambda services, left_s: services.consumers.FetchOffsets(request, timeout=left_s), timeout_s)
    return {(o.topic_id, o.partition): o.offset for o in found.offsets if o.HasField("offset")}


def commit(client, group, member_id, generation, offsets, timeout_s):
    """offsets: {(topic id, partition): (offset, leader epoch of the last record, or -1)}. Raises the first
    refusal, after the others were committed."""
    request = consumer_pb2.CommitOffsetsRequest(
        group=group, member_id=member_id, generation=generation,
        offsets=[consumer_pb2.OffsetCommit(topic_id=t, partition=p, offset=offset, leader_epoch_plus_one=epoch + 1)
                 for (t, p), (offset, epoch) in offsets.items()])

    def call(services, left_s):
        for answer in services.consumers.CommitOffsets(request, timeout=left_s).partitions:
            if answer.HasField("error"):
                raise error_of_message(answer.error).about(f"group {group} partition {answer.partition}")

    client.ask(call, timeout_s)


def leave(client, group, member_id, keeps_partitions, timeout_s):
    request = consumer_pb2.LeaveGroupRequest(group=group, member_id=member_id, keeps_partitions=keeps_partitions)
    client.ask(lambda services, left_s: services.consumers.LeaveGroup(request, timeout=left_s), timeout_s)
