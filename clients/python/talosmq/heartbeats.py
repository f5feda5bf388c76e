"""Keeps a Membership alive: sends its calls and brings the answers back."""

import contextlib
import logging
import threading

import grpc

from talosmq import lease_clock
from talosmq.errors import Reason, TalosError, error_of_call
from talosmq.v1 import consumer_pb2

_log = logging.getLogger("talosmq")


class Heartbeats:
    """A thread that sends what the membership wants to be sent. A call that is sent while another one is
    parked cancels that one.

    make_request(call): the HeartbeatRequest of a Call. leave(member_id): sends a LeaveGroup of the member that
    nobody polls, and returns the call. on_changes(): there are changes to take in; runs on a
    thread of its own or of gRPC and must not block. The membership is touched under `lock` only.
    Thread-safe.
    """

    def __init__(self, client, group, membership, lock, make_request, leave, on_changes):
        self._client = client
        self._group = group
        self._membership = membership
        self._due = threading.Condition(lock)
        self._make_request = make_request
        self._leave = leave
        self._on_changes = on_changes
        self._out = None
        self._leaving = None  # the last LeaveGroup
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="talosmq-group", daemon=True)
        self._thread.start()

    def notify(self):
        """The membership was changed. Under the lock."""
        self._due.notify()

    def stop(self):
        """Gives up what is out and sends nothing more."""
        with self._due:
            self._is_stopping = True
            self._due.notify()
        self._thread.join()
        if self._out is not None:
            self._out.cancel()

    def _run(self):
        with self._due:
            while not self._is_stopping and self._membership.failure is None:
                now = lease_clock.now()
                if self._membership.expire(now):
                    self._on_changes()
                self._leave_unpolled(now)
                call = self._membership.next_call(now)
                if call is not None:
                    self._send(call)
                left_s = self._membership.next_event_at() - lease_clock.now()
                self._due.wait(min(max(left_s, 0.0), threading.TIMEOUT_MAX))

    def _leave_unpolled(self, now):
        member_id = self._membership.leave_unpolled(now)
        if member_id is None:
            return
        if self._out is not None:
            self._out.cancel()
        with contextlib.suppress(TalosError, ValueError):  # the client is closed
            self._leaving = self._leave(member_id)  # should it be lost, the lease ends

    def _send(self, call):
        if self._out is not None:
            self._out.cancel()
        try:
            stub = self._client.services().consumers
            self._out = stub.Heartbeat.future(self._make_request(call), timeout=self._membership.answer_timeout_s)
        except (TalosError, ValueError):  # ValueError: how gRPC says that the channel is closed
            self._note(self._membership.on_error(call, TalosError(Reason.CLOSED, "the client is closed"), call.sent_at))
            return
        self._out.add_done_callback(lambda answer: self._on_answer(call, answer))

    def _on_answer(self, call, answer):
        with self._due:
            now = lease_clock.now()
            try:
                reply = answer.result()
            except grpc.FutureCancelledError:
                return  # given up
            except grpc.RpcError as call_error:
                error = error_of_call(call_error)
                if error.reason in (Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED, Reason.SHUTTING_DOWN):
                    self._client.try_next_server()
                self._warn(call, error, now)
                self._note(self._membership.on_error(call, error, now))
                return
            assigned = [(partition.topic_id, partition.partition) for partition in reply.assigned]
            self._note(self._membership.on_reply(call, reply.member_id, reply.generation, reply.lease_ms / 1000,
                                                 assigned, now))

    def _warn(self, call, error, now):
        if self._membership.takes_warning(call, now):
            _log.warning("group %s: not joined, asking on: %s", self._group, error)

    def _note(self, has_changes):
        if has_changes:
            self._on_changes()
        self._due.notify()
