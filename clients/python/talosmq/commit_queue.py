"""The commits of one member that are on their way."""

import concurrent.futures
import threading
import time

from talosmq import group_offsets
from talosmq.errors import Reason, TalosError

WAITING_MAX = 1000


class CommitQueue:
    """Commits one after the other, in the order of submit(), on a thread of its own. Thread-safe."""

    def __init__(self, client, group):
        self._client = client
        self._group = group
        self._room = threading.Semaphore(WAITING_MAX)
        self._executor = concurrent.futures.ThreadPoolExecutor(1, "talosmq-commit")

    def submit(self, member_id, generation, offsets, timeout_s):
        """A Future, which has ended after timeout_s, all waiting included, or little more. offsets: as of
        group_offsets.commit. OVERLOADED: WAITING_MAX wait. CLOSED."""
        if not self._room.acquire(blocking=False):
            raise TalosError(Reason.OVERLOADED,
                             f"group {self._group}: expected at most {WAITING_MAX} commits that wait, found as many")
        deadline = time.monotonic() + timeout_s
        try:
            future = self._executor.submit(self._commit, member_id, generation, offsets, deadline)
        except RuntimeError:  # after close()
            self._room.release()
            raise TalosError(Reason.CLOSED, f"the consumer of group {self._group} is closed") from None
        future.add_done_callback(lambda _: self._room.release())
        return future

    def drain(self):
        """Waits until all that was submitted has ended."""
        self._executor.submit(lambda: None).result()

    def close(self):
        """drain(), for the last time."""
        self._executor.shutdown()

    def _commit(self, member_id, generation, offsets, deadline):
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            raise TalosError(Reason.DEADLINE_EXCEEDED, f"group {self._group}: those before it took all the time")
        group_offsets.commit(self._client, self._group, member_id, generation, offsets, left_s)
