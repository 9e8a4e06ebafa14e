"""What kernels lean on without a page is listed, and nothing else is called."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from opslib.backends.npu.ascend import assumed
from opslib.backends.npu.ascend.lower import lower
from opslib.backends.npu.ascend.machine import cores, instructions
from opslib.backends.npu.ascend.report import summary
from opslib.backends.npu.targets import TARGETS

from opslib.runtime import toolchain
from opslib.testing.operator_table import pairs

from .ascend_cases import case, normal
from .ascend_mutation_kernels import kernels

RULES = (toolchain.native_folder() / "ascend" / "opslib_twin_rules.h").read_text(
    "utf-8"
)
DOCUMENT = Path(__file__).parents[3] / "docs" / "npu.md"


def test_functions_of_the_headers_are_seen_through() -> None:
    assert assumed.called("opslib::Load(x_in, x[0], count);") == {"DataCopyPad"}
    assert assumed.called("opslib::Blocks(blocks, row, n);") == {"Brcb"}
    assert assumed.called("opslib::Spread(t, blocks, pitch, n);") == {"Copy"}
    assert "LoadDataWithTranspose" in assumed.called("opslib::LoadLeft<true>(a, b);")
    assert assumed.called("Add(a, b.ReinterpretCast<float>(), c, 8);") == {"Add"}


@pytest.mark.parametrize("target", sorted(TARGETS))
def test_kernels_call_nothing_that_is_not_listed(target: int) -> None:
    """A slice of the catalogue: each instruction has a page, or an assumption."""
    names: set[str] = set()
    for operator, dtype in pairs(("float32", "float16"))[::17]:
        for kernel in kernels(operator, dtype, 1):
            made = lower(kernel.program, operator, TARGETS[target])
            for launch in (core for x in made.launches for core in cores(x)):
                for each in instructions(launch.body):
                    if each.pipe != "S":
                        names |= assumed.called(each.text)
    assert len(names) > 20
    known = set(assumed.PAGES)
    known |= {n for n, chips in assumed.ASSUMED.items() if target in chips}
    assert names <= known


def test_the_plan_says_what_is_assumed() -> None:
    program = case("softmax", normal(3, 5, dtype="float16")).program
    text = summary(program, target=TARGETS[2201])
    assert "\n  WholeReduceSum takes halves and floats, as WholeReduceMax" in text
    assert "\n  Cast takes" not in text
    assert "\n  Cast takes" in summary(program, target=TARGETS[3510])


def test_the_twin_says_the_same() -> None:
    """Each instruction that is assumed is named by a comment of its rules that says so.

    Those of a family are named by one of it.
    """
    comments = " ".join(re.findall(r"/\*(.*?)\*/", RULES, flags=re.S))
    sentences = " ".join(re.split(r"\s*\n \*\s*|\s+", comments)).split("ASSUMED")[1:]
    said = " ".join(sentences)
    family = {
        "Muls": "Mul", "Mins": "Min", "Ln": "this and the others",
        "Sqrt": "this and the others", "Cast": "half to and from int8",
    }  # fmt: skip
    for name in assumed.ASSUMED:
        plain = "reductions" if "Reduce" in name else family.get(name, name)
        assert plain in said, name


def test_the_documentation_lists_them() -> None:
    text = DOCUMENT.read_text("utf-8")
    for name in assumed.ASSUMED:
        assert f"`{name}`" in text, name
