"""Whether a kernel may run: what the routing table knows, else one self-check."""

from __future__ import annotations

import os
from collections.abc import Mapping

from opslib.dispatch import routing
from opslib.dispatch.selfcheck import self_check
from opslib.dispatch.stamp import generator_stamp
from opslib.ir.expr import Program
from opslib.language.syntax import Operator
from opslib.runtime.protocol import Backend, Device, Kernel


def refusal(
    operator: Operator,
    library: Mapping[str, Operator],
    backend: Backend,
    device: Device,
    program: Program,
    kernel: Kernel,
) -> str | None:
    """None when the kernel may run, else why not.

    A failed kernel is no candidate. An untested one is compared with the judge on a
    small case first, and the verdict is stored. ``OPSLIB_SELF_CHECK=never`` trusts
    untested kernels, for start-up time; failed ones stay out.
    """
    dtype = (program.inputs or program.outputs)[0].dtype.name
    key = routing.Key(
        routing.spec_hash(operator, library),
        generator_stamp(device.backend),
        dtype,
        kernel.skeleton,
        device.family,
    )
    state = routing.state_of(key)
    if state == "untested" and os.environ.get("OPSLIB_SELF_CHECK") != "never":
        verdict = self_check(backend, device, program, kernel)
        if verdict.state != "inconclusive":
            state = verdict.state
            routing.record_verdict(key, state, verdict.reason)
            if state == "fail":
                return f"its kernel failed the self-check: {verdict.reason}"
    if state == "fail":
        return f"its {kernel.skeleton} kernel for {dtype} is known to be wrong here"
    return None
