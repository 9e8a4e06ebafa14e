"""What is known of the instructions that kernels are made of, and what is only assumed.

No chip has run these kernels: what no page of the documentation says of an instruction
is a guess until a device's own compiler has seen it. The twin's lists of types say the
same in detail (native/ascend/opslib_twin_rules.h).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache

from opslib.runtime import toolchain

from ..targets import AscendTarget
from .machine import Launch, cores, instructions

# Where an instruction was read about. Of hiascend.com: 07_NNNN is
# atlasascendc_api_07_NNNN of the Ascend C reference, tik_NNNN atlastikapi_07_NNNN,
# cce_NNNN cceapi_NNNN; HIVM is HIVMVectorOps.td of the official compiler's front end.
PAGES: Mapping[str, str] = {
    "Abs": "07_0027", "Add": "07_0035", "Adds": "tik_0074", "And": "07_0041",
    "Brcb": "07_0089", "Cast": "07_0073, HIVM", "Compare": "07_0066",
    "Compares": "07_0078 of CANN 8.0.RC2", "Copy": "07_0106",
    "CreateVecIndex": "07_0090", "DataCopy": "07_0103, cce_0095",
    "DataCopyPad": "07_0265", "Div": "07_0038", "Duplicate": "07_0087",
    "Exp": "07_0025", "Fixpipe": "07_0251, cce_0101", "Gather": "07_0092",
    "LoadData": "07_0238, cce_0075", "LoadDataWithTranspose": "07_0239",
    "Max": "07_0039", "Maxs": "07_0039", "Min": "tik_0065", "Mins": "tik_0074",
    "Mmad": "07_0249", "Mul": "tik_0065",
    "Muls": "tik_0074", "ReduceMax": "07_0075", "ReduceSum": "07_0078",
    "Select": "cce_0039", "ShiftLeft": "07_0058", "ShiftRight": "07_0069",
    "Sqrt": "HIVM", "Sub": "tik_0065", "WholeReduceMax": "07_0079",
}  # fmt: skip

_ALL = (2201, 3510, 2002)
_AS_910B = "the types that 910B takes"
_AS_MAXIMA = "halves and floats, as WholeReduceMax"
# What had to be taken for granted, by chip.
ASSUMED: Mapping[str, Mapping[int, str]] = {
    "Cast": {3510: _AS_910B, 2002: "halves to and from bytes, as on 910B"},
    "Compare": dict.fromkeys((2201, 2002), "what Compares takes"),
    "Compares": {3510: "what Compare takes"},
    "Select": dict.fromkeys((3510, 2002), _AS_910B),
    **{n: {3510: _AS_910B} for n in ("Sub", "Mul", "Muls", "Min", "Mins")},
    "Or": dict.fromkeys(_ALL, "what And takes"),
    "Ln": dict.fromkeys(_ALL, "halves and floats, as Exp"),
    "Sqrt": dict.fromkeys((3510, 2002), "halves and floats, as Exp"),
    "ReduceSum": dict.fromkeys(_ALL, "halves and floats, as ReduceMax"),
    "ReduceMin": dict.fromkeys(_ALL, "halves and floats, as ReduceMax"),
    "WholeReduceSum": dict.fromkeys(_ALL, _AS_MAXIMA),
    "WholeReduceMin": dict.fromkeys(_ALL, _AS_MAXIMA),
    "BlockReduceMax": dict.fromkeys(_ALL, _AS_MAXIMA),
    "BlockReduceSum": dict.fromkeys(_ALL, _AS_MAXIMA),
}

_HEADERS = ("opslib_ascend.h", "opslib_ascend_rows.h")
_CALL = re.compile(r"(opslib::)?([A-Z]\w+)(?:<[^;(){}]*?>)?\(")
_FUNCTION = re.compile(r"^__aicore__ inline \w+(?:<[^>]*>)? (\w+)\(", re.M)
# Of tensors, flags and the scalar unit.
_OTHER = frozenset(
    {
        "GetValue", "SetValue", "GetSize", "ReinterpretCast", "PipeBarrier",
        "GetBlockIdx", "GetBlockNum", "GetSubBlockIdx", "CrossCoreSetFlag",
        "CrossCoreWaitFlag", "DataCacheCleanAndInvalid",
    }
)  # fmt: skip


def called(text: str) -> set[str]:
    """The instructions of the chip that a line calls, also by functions of a header."""
    found: set[str] = set()
    for ours, name in _CALL.findall(text):
        if ours:
            found |= _instructions_of()[name]
        elif name not in _OTHER:
            found.add(name)
    return found


@cache
def _instructions_of() -> Mapping[str, frozenset[str]]:
    """By function of the headers that kernels include."""
    bodies: dict[str, str] = {}
    for header in _HEADERS:
        text = (toolchain.native_folder() / header).read_text("utf-8")
        places = [*_FUNCTION.finditer(text)]
        ends = [*(p.start() for p in places[1:]), len(text)]
        for place, end in zip(places, ends, strict=True):
            body = re.sub(r"/\*.*?\*/", "", text[place.end() : end], flags=re.S)
            bodies[place[1]] = bodies.get(place[1], "") + body

    def reached(name: str, seen: frozenset[str]) -> Iterator[str]:
        for _, called in _CALL.findall(bodies[name]):
            if called not in bodies:
                yield called
            elif called not in seen:
                yield from reached(called, seen | {called})

    return {n: frozenset(reached(n, frozenset((n,)))) - _OTHER for n in bodies}


def of_launch(launch: Launch, target: AscendTarget) -> dict[str, str]:
    """What a launch leans on that is only assumed of the chip, by instruction."""
    names: set[str] = set()
    for core in cores(launch):
        for instruction in instructions(core.body):
            names |= called(instruction.text)
    found = {n: ASSUMED.get(n, {}).get(target.number) for n in sorted(names)}
    return {n: why for n, why in found.items() if why is not None}


__all__ = ["ASSUMED", "PAGES", "called", "of_launch"]
