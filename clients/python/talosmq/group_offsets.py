"""Committed offsets of a group, on the wire. A committed offset is the next one to read."""

import grpc

from talosmq.errors import Reason, TalosError, error_of_call, error_of_message
from talosmq.record import CommittedOffset
from talosmq.v1 import consumer_pb2

# Of a call: it may have been carried out.
_OUTCOME_OPEN = {
    Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED, Reason.CANCELLED, Reason.INTERNAL, Reason.METADATA_UNAVAILABLE,
    Reason.STORAGE_FENCED,
}


def fetch_committed(client, group, keys, timeout_s=None):
    """{(topic id, partition): CommittedOffset} of those keys that have one."""
    request = consumer_pb2.FetchOffsetsRequest(
        group=group, partitions=[consumer_pb2.GroupPartition(topic_id=t, partition=p) for t, p in keys])
    found = client.ask(lambda services, left_s: services.consumers.FetchOffsets(request, timeout=left_s), timeout_s)
    return {(o.topic_id, o.partition): CommittedOffset(o.offset, o.metadata, o.committed_ms)
            for o in found.offsets if o.HasField("offset")}


def commit(client, group, member_id, generation, offsets, timeout_s):
    """offsets: {(topic id, partition): OffsetToCommit}. Raises the first refusal, after the others were
    committed. With an expected offset it is sent once: MAYBE_STORED when the answer is lost, as a repetition
    could meet its own success."""
    request = consumer_pb2.CommitOffsetsRequest(
        group=group, member_id=member_id, generation=generation,
        offsets=[consumer_pb2.OffsetCommit(
            topic_id=topic_id, partition=partition, offset=to.offset, leader_epoch_plus_one=to.leader_epoch + 1,
            metadata=to.metadata, expected_offset=to.expected) for (topic_id, partition), to in offsets.items()])

    def call(services, left_s):
        for answer in services.consumers.CommitOffsets(request, timeout=left_s).partitions:
            if answer.HasField("error"):
                raise error_of_message(answer.error).about(f"group {group} partition {answer.partition}")

    if all(to.expected is None for to in offsets.values()):
        client.ask(call, timeout_s)
    else:
        client.change(lambda services, left_s: _told_when_open(call, services, left_s), timeout_s)


def _told_when_open(call, services, left_s):
    try:
        call(services, left_s)
    except grpc.RpcError as call_error:
        error = error_of_call(call_error)
        if error.reason in _OUTCOME_OPEN:
            raise TalosError(Reason.MAYBE_STORED, f"the answer to a commit was lost: {error}") from None
        raise error from None


def leave(client, group, member_id, keeps_partitions, timeout_s):
    request = _leave_request(group, member_id, keeps_partitions)
    client.ask(lambda services, left_s: services.consumers.LeaveGroup(request, timeout=left_s), timeout_s)


def begin_to_leave(client, group, member_id, keeps_partitions, timeout_s):
    """Sends it once. The call that is returned must be kept: gRPC cancels one that nobody refers to."""
    request = _leave_request(group, member_id, keeps_partitions)
    return client.services().consumers.LeaveGroup.future(request, timeout=timeout_s)


def _leave_request(group, member_id, keeps_partitions):
    return consumer_pb2.LeaveGroupRequest(group=group, member_id=member_id, keeps_partitions=keeps_partitions)
