"""Why a call failed, in the server's own terms."""

import enum

import grpc

from talosmq.v1 import error_pb2

Reason = enum.IntEnum("Reason", {name.removeprefix("REASON_"): number for name, number in error_pb2.Reason.items()})
Reason.__doc__ = "The reasons of proto/talosmq/v1/error.proto."

ERROR_TRAILER = "talosmq-error-bin"

_REASON_OF_CODE = {
    grpc.StatusCode.UNAVAILABLE: Reason.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: Reason.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED: Reason.CANCELLED,
    grpc.StatusCode.UNIMPLEMENTED: Reason.UNIMPLEMENTED,
    grpc.StatusCode.INVALID_ARGUMENT: Reason.INVALID_ARGUMENT,
}

# The same question may well be answered a little later.
_TRANSIENT = {
    Reason.NOT_LEADER, Reason.FENCED_EPOCH, Reason.UNKNOWN_EPOCH, Reason.OVERLOADED, Reason.UNAVAILABLE,
    Reason.SHUTTING_DOWN, Reason.NOT_ENOUGH_REPLICAS, Reason.METADATA_UNAVAILABLE, Reason.STORAGE_FENCED,
    Reason.STORAGE_FULL, Reason.COORDINATOR_NOT_AVAILABLE,
}


class TalosError(Exception):
    """What failed, which object, what was expected and what was found.

    reason: a Reason. retry_after_s: how long the server asks to wait, 0 when it does not say.
    corrupt_range: for CORRUPT_DATA and INVALID_RECORD the offsets (first, next) that cannot be read,
    None when that is not known.
    """

    def __init__(self, reason, message, retry_after_s=0.0, corrupt_range=None):
        super().__init__(f"{reason.name}: {message}")
        self.reason = reason
        self.message = message
        self.retry_after_s = retry_after_s
        self.corrupt_range = corrupt_range

    @property
    def is_transient(self):
        return self.reason in _TRANSIENT

    def about(self, what):
        """The same error, with what it is about in front."""
        return TalosError(self.reason, f"{what}: {self.message}", self.retry_after_s, self.corrupt_range)


def invalid_argument(message):
    return TalosError(Reason.INVALID_ARGUMENT, message)


def error_of_message(error):
    """The TalosError of an Error message."""
    try:
        reason = Reason(error.reason)
    except ValueError:  # of a later server
        reason = Reason.INTERNAL
    damaged = error.corrupt_range if error.HasField("corrupt_range") else None
    return TalosError(reason, error.message, error.retry_after_ms / 1000,
                      (damaged.first_offset, damaged.next_offset) if damaged else None)


def error_of_call(call):
    """The TalosError of a gRPC call that failed."""
    for key, value in call.trailing_metadata() or ():
        if key == ERROR_TRAILER:
            return error_of_message(error_pb2.Error.FromString(value))
    return TalosError(_REASON_OF_CODE.get(call.code(), Reason.INTERNAL), f"{call.code().name}: {call.details()}")
