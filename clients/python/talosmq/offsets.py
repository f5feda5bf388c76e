"""Where a start, an end or a moment is in a partition."""

import datetime

from talosmq.errors import Reason, TalosError, error_of_message, invalid_argument
from talosmq.record import END, START
from talosmq.v1 import message_pb2


def find_offsets(client, questions, timeout_s=None):
    """The offsets of [(topic id, partition, position)], in that order. A position is START, END, an
    offset, which is its own answer, or an aware datetime: the first record stamped at or after it, the
    end when there is none."""
    queries = [_query(*question) for question in questions if not isinstance(question[2], int)]
    answers = {}
    if queries:
        request = message_pb2.ListOffsetsRequest(partitions=queries)

        def call(services, call_timeout_s):
            response = services.messages.ListOffsets(request, timeout=call_timeout_s)
            return {(a.topic_id, a.partition): _offset_of(a) for a in response.partitions}

        answers = client.ask(call, timeout_s)
    offsets = []
    for topic_id, partition, position in questions:
        found = position if isinstance(position, int) else answers.get((topic_id, partition))
        if found is None:
            raise TalosError(Reason.INTERNAL, f"partition {partition}: the server sent no offset")
        offsets.append(found)
    return offsets


def check_position(name, position):
    """INVALID_ARGUMENT naming the option, unless it is a position."""
    is_moment = isinstance(position, datetime.datetime) and position.tzinfo is not None
    if position not in (START, END) and not isinstance(position, int) and not is_moment:
        raise invalid_argument(f"{name}: expected START, END, an offset or a datetime with a zone, found {position!r}")


def _query(topic_id, partition, position):
    check_position("position", position)
    query = message_pb2.OffsetQuery(topic_id=topic_id, partition=partition)
    if position is START:
        query.start = True
    elif position is END:
        query.end = True
    else:
        query.time_ms = int(position.timestamp() * 1000)
    return query


def _offset_of(answer):
    if answer.HasField("error"):
        raise error_of_message(answer.error).about(f"partition {answer.partition}")
    return answer.offset
