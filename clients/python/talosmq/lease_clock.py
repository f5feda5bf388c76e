"""The clock by which a member counts its lease."""

import time

# It goes on while the system is suspended, as the coordinator's does; time.monotonic() does not on Linux.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now():
    """Seconds; comparable with other answers of this function only."""
    return time.clock_gettime(_CLOCK)
