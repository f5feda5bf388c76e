"""The produce stream to one server."""

import queue
import threading
import time

import grpc

from talosmq.errors import Reason, TalosError, error_of_call, error_of_message
from talosmq.v1 import message_pb2


class ProduceStream:
    """Sends batches in the order in which they were given; answers come in any order.

    host: its lock guards the stream, too. host.leaving(lane, attempt) says whether the batch is still
    wanted; it is called under the lock. host.on_answer(lane, attempt, error, base_offset) and
    host.on_closed(stream, error) are called without it, by the stream's own thread. Each batch that was
    sent and left is told exactly once: by on_answer, or among what take_out() returns.
    """

    def __init__(self, host, address, services, delivery_timeout_s):
        self.address = address
        self._host = host
        self._delivery_timeout_s = delivery_timeout_s
        self._waiting = queue.SimpleQueue()
        self._out = {}  # by request id: (lane, attempt)
        self._last_request_id = 0
        self._is_closed = False
        self._call = services.messages.Produce(self._requests())
        self._thread = threading.Thread(target=self._read, name="talosmq-acks", daemon=True)
        self._thread.start()

    def send(self, lane, attempt, batch):
        """Under the lock, before take_out()."""
        assert not self._is_closed, self.address
        self._last_request_id += 1
        self._out[self._last_request_id] = (lane, attempt)
        self._waiting.put((self._last_request_id, batch))

    def take_out(self):
        """[(lane, attempt)] that will not be answered any more. For on_closed, under the lock, where the host
        lets go of the stream as well: what is sent in between would be told by nobody."""
        self._is_closed = True
        out, self._out = self._out, {}
        return list(out.values())

    def close(self):
        """Ends the stream; on_closed follows."""
        self._waiting.put(None)
        self._call.cancel()

    def join(self):
        self._thread.join()

    def _requests(self):
        """Runs on a thread of gRPC, which asks for the next message when the last one is written."""
        while (item := self._waiting.get()) is not None:
            request_id, batch = item
            with self._host.lock:
                if self._is_closed:
                    return
                lane, attempt = self._out[request_id]
                if not self._host.leaving(lane, attempt):
                    del self._out[request_id]
                    continue
            try:
                records = batch.to_bytes()
            except Exception as error:  # of a compressor
                self._settle(request_id, TalosError(Reason.INTERNAL, f"compression failed: {error}"), -1)
                continue
            left_s = batch.opened + self._delivery_timeout_s - time.monotonic()
            yield message_pb2.ProduceRequest(
                request_id=request_id,
                timeout_ms=max(1, int(left_s * 1000)),
                batches=[message_pb2.PartitionBatch(
                    topic_id=lane.topic_id, partition=lane.partition,
                    known_leader_epoch_plus_one=lane.leader_epoch + 1, records=records)])

    def _read(self):
        error = TalosError(Reason.UNAVAILABLE, f"produce stream to {self.address}: the server ended it")
        try:
            for response in self._call:
                for ack in response.acks:
                    self._settle(response.request_id, error_of_message(ack.error) if ack.HasField("error") else None,
                                 ack.base_offset)
        except grpc.RpcError as call_error:
            error = error_of_call(call_error).about(f"produce stream to {self.address}")
        finally:
            self._waiting.put(None)
            self._host.on_closed(self, error)

    def _settle(self, request_id, error, base_offset):
        with self._host.lock:
            found = self._out.pop(request_id, None)
        if found is not None:
            self._host.on_answer(*found, error, base_offset)
