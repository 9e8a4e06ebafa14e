"""A chip that does not exist, as a vendor would add one to opslib from outside.

It is awkward on purpose. Its memory is another process, so that nothing on the host can
read it; launches return before they have run; errors come out when somebody waits; it
has no float64; subnormal results are flushed to zero, and it says so.
"""

from __future__ import annotations

from .device import ToychipBackend


def backend() -> ToychipBackend:
    """The entry point of the group ``opslib.backends``."""
    return ToychipBackend()
