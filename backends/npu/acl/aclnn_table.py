"""Which vendor's operator is which spec, under which conditions, with what arguments.

A row is a claim, and no more: its kernel runs only where the routing table or a
self-check says that it keeps to the spec. Signatures and types are those of the
operator's page in the public reference, named in each row.

Not here: operators that leave a spec's promise open, such as aclnnEmbedding, whose
indices nobody checks: programs with checks of what arrays hold are never given to the
library.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from opslib.ir.expr import Check, Program, Read, walk
from opslib.lowering.numbers import number as value_of

from .aclnn_arguments import (
    Argument,
    Call,
    Shape,
    absent,
    attribute,
    axes,
    data_type,
    given,
    integers,
    last_axis,
    number,
    result,
    scalar,
    spare,
    text,
)

Numbers = Mapping[str, int | float]

# Roots of the pages; each says of which release of CANN it is.
_ZH = "hiascend.com/document/detail/zh/"
_R70 = _ZH + "canncommercial/700/inferapplicationdev/aclcppdevg/"
_RC1 = _ZH + "canncommercial/80RC1/apiref/appdevgapi/context/"
_RC2 = _ZH + "canncommercial/80RC2/apiref/appdevgapi/context/"
_RC3 = _ZH + "canncommercial/80RC3/apiref/aolapi/context/"
_R80 = _ZH + "canncommercial/800/apiref/aolapi/context/"
_R82 = _ZH + "canncommercial/82RC1/API/aolapi/context/"
_R83 = _ZH + "CANNCommunityEdition/83RC1alpha002/API/aolapi/context/"
_A200 = _ZH + "Atlas200IDKA2DeveloperKit/23.0.RC2/Application Development Guide/aadgc/"

FLOATS = frozenset({"float32", "float16", "bfloat16"})
WIDE = frozenset({"float32", "float16"})
INTEGERS = frozenset({"int64", "int32", "int16", "int8", "uint8"})
# Products of the A2 and A3 series, which every page here lists.
A2 = frozenset({"2201"})
# "Keep the data type": float32 is not multiplied in a shorter one.
_KEEP_DTYPE = number("int8_t", 0)
# "Dimensions up to 8", on most pages.
MOST_AXES = 8


@dataclass(frozen=True, slots=True)
class Row:
    """A vendor's operator.

    Attributes:
        call: its name; the first phase is ``{call}GetWorkspaceSize``.
        arguments: of the first phase, in order, before workspace size and executor.
        dtypes: of every input.
        page: its reference.
        when: what else a program must be.
        within: what the sizes and attributes of a call must be, besides there being
            any element.
        chips: architectures for which the page lists it.
    """

    call: str
    arguments: tuple[Argument, ...]
    dtypes: frozenset[str]
    page: str
    when: Callable[[Program], bool] = lambda program: True
    within: Callable[[Numbers, Numbers], bool] = lambda sizes, scalars: True
    chips: frozenset[str] = A2

    def fits(self, program: Program, arch: str) -> bool:
        """Whether it may run the program on a chip."""
        tensors = (*program.inputs, *program.outputs)
        return (
            arch in self.chips
            and all(map(_of_sizes, program.checks))
            and all(t.dtype.name in self.dtypes for t in program.inputs)
            and all(len(t.shape) <= MOST_AXES for t in tensors)
            and self.when(program)
        )

    def takes(self, program: Program, sizes: Numbers, scalars: Numbers) -> bool:
        """Whether it may run a call of these sizes and attributes."""
        known = {**sizes, **scalars}
        for t in (*program.inputs, *program.outputs):
            if not all(value_of(n, known, {}) for n in t.shape):
                return False
        # Where one does not hold, opslib's own kernel says so.
        held = all(value_of(check.condition, known, {}) for check in program.checks)
        return held and self.within(sizes, scalars)


def _of_sizes(check: Check) -> bool:
    """Whether a check can be made before any element is read."""
    return not check.axes and not any(
        isinstance(n, Read) for n in walk(check.condition)
    )


def _ranks(*ranks: int) -> Callable[[Program], bool]:
    """Inputs of just these numbers of axes."""
    return lambda program: tuple(len(t.shape) for t in program.inputs) == ranks


def _matrices(program: Program) -> bool:
    """Two inputs and a result with two axes and more, no more than six."""
    shapes = [t.shape for t in (*program.inputs, *program.outputs)]
    return len(shapes) == 3 and all(2 <= len(s) <= 6 for s in shapes)


def _plain_attention(program: Program) -> bool:
    """No mask of any kind."""
    return len(program.inputs) == 3 and not dict(program.claim)["is_causal"]


def _ones_behind(shape: Shape) -> Shape:
    """One number for each row, in the rank that the norms want it."""
    return (*shape[:-1], 1)


def _with_one(shape: Shape) -> Shape:
    return (*shape, 1)


def _halves(shape: Shape) -> Shape:
    return (*shape[:-2], shape[-2] * shape[-1])


def _heads(shape: Shape) -> Shape:
    """[..., g, t, d] as batch, heads, places, elements."""
    return (math.prod(shape[:-3]), *shape[-3:])


def _query_heads(shape: Shape) -> Shape:
    """[..., g, r, s, d] as batch, heads, places, elements."""
    return (math.prod(shape[:-4]), shape[-4] * shape[-3], *shape[-2:])


def _count_heads(call: Call) -> int:
    return _query_heads(call.arrays["query"].shape)[1]


def _statistics(shape: Shape) -> Shape:
    """Of the softmax of a query: eight equal numbers a row."""
    return (*_query_heads(shape)[:-1], 8)


def _map(call: str, source: str, dtypes: frozenset[str], page: str) -> Row:
    """One array, one result."""
    return Row(call, (given(source), result("y")), dtypes, page)


def _pair(call: str, dtypes: frozenset[str], page: str, *more: Argument) -> Row:
    """x1 and x2, one result."""
    return Row(call, (given("x1"), given("x2"), *more, result("y")), dtypes, page)


def _product(call: str, a: str, b: str, page: str, *ranks: int) -> Row:
    arguments = (given(a), given(b), result("y"), _KEEP_DTYPE)
    return Row(call, arguments, FLOATS, page, _ranks(*ranks) if ranks else _matrices)


_LAYER_NORM = Row(
    "aclnnLayerNorm",
    (
        given("x"),
        integers("{n}", lambda call: (call.arrays["x"].shape[-1],)),
        given("weight", optional=True),
        given("bias", optional=True),
        attribute("double", "eps"),
        result("y"),
        absent("aclTensor *"),
        absent("aclTensor *"),
    ),
    FLOATS,
    _R80 + "aclnnLayerNorm&aclnnLayerNormWithImplMode.md",
)
_ATTENTION = Row(
    "aclnnFlashAttentionScore",
    (
        given("query", _query_heads),
        given("key", _heads),
        given("value", _heads),
        absent(),  # realShift
        absent(),  # dropMask
        absent(),  # paddingMask
        absent(),  # attenMask
        absent("const aclIntArray *"),  # prefix
        attribute("double", "scale"),
        number("double", 1.0),  # keepProb
        number("int64_t", 2147483647),  # preTockens: every key before,
        number("int64_t", 2147483647),  # nextTockens: and after
        Argument(
            "int64_t", "heads", lambda c: _query_heads(c.arrays["query"].shape)[1]
        ),
        text("BNSD"),
        number("int64_t", 0),  # innerPrecise: high precision
        number("int64_t", 0),  # sparseMode: none
        spare("query", _statistics),  # softmaxMax
        spare("query", _statistics),  # softmaxSum
        absent(),  # softmaxOut: reserved
        result("o", _query_heads),
    ),
    FLOATS,
    _R70 + "aclcppdevg_03_0183.html",
    when=_plain_attention,
    within=lambda sizes, scalars: sizes["d"] == sizes["e"],
)

TABLE: Mapping[str, tuple[Row, ...]] = {
    # -- products --------------------------------------------------------------------
    "matmul": (_product("aclnnMatmul", "x1", "x2", _R80 + "aclnnMatmul.md"),),
    "mm": (_product("aclnnMm", "input", "mat2", _R80 + "aclnnMm.md", 2, 2),),
    "bmm": (
        _product(
            "aclnnBatchMatMul", "input", "mat2", _RC3 + "aclnnBatchMatMul.md", 3, 3
        ),
    ),
    "linear": (
        Row(
            "aclnnMatmul",
            (given("input"), given("weight", turned=True), result("y"), _KEEP_DTYPE),
            FLOATS,
            _R80 + "aclnnMatmul.md",
            _matrices,
        ),
        Row(
            "aclnnAddmm",
            (
                given("bias"),
                given("input"),
                given("weight", turned=True),
                scalar(1.0, "input"),
                scalar(1.0, "input"),
                result("y"),
                _KEEP_DTYPE,
            ),
            FLOATS,
            _RC3 + "aclnnAddmm&aclnnInplaceAddmm.md",
            _ranks(2, 2, 1),
        ),
    ),
    "addmm": (
        Row(
            "aclnnAddmm",
            (
                given("input"),
                given("mat1"),
                given("mat2"),
                scalar("beta", "input"),
                scalar("alpha", "input"),
                result("y"),
                _KEEP_DTYPE,
            ),
            FLOATS,
            _RC3 + "aclnnAddmm&aclnnInplaceAddmm.md",
            # With beta = 0 the spec does not read the input.
            within=lambda sizes, scalars: scalars["beta"] != 0,
        ),
    ),
    "matvec": (
        Row(
            "aclnnMv",
            (given("x1"), given("x2"), result("y"), _KEEP_DTYPE),
            WIDE,
            _A200 + "aclcppdevg_03_0463.html",
            _ranks(2, 1),
        ),
    ),
    "outer": (_pair("aclnnGer", WIDE | INTEGERS, _RC2 + "aclnnGer.md"),),
    "scaled_dot_product_attention": (_ATTENTION,),
    # -- maps ------------------------------------------------------------------------
    "add": (
        _pair(
            "aclnnAdd",
            FLOATS | INTEGERS,
            _RC3 + "aclnnAdd&aclnnInplaceAdd.md",
            scalar(1, "x1"),
        ),
    ),
    "multiply": (
        _pair("aclnnMul", FLOATS | INTEGERS, _R83 + "aclnnMul&aclnnInplaceMul.md"),
    ),
    "greater": (
        _pair(
            "aclnnGtTensor",
            FLOATS | INTEGERS,
            _RC1 + "aclnnGtTensor&aclnnInplaceGtTensor.md",
        ),
    ),
    "logaddexp": (_pair("aclnnLogAddExp", FLOATS, _RC3 + "aclnnLogAddExp.md"),),
    "exp": (_map("aclnnExp", "x", FLOATS, _R83 + "aclnnExp&aclnnInplaceExp.md"),),
    "expm1": (
        _map("aclnnExpm1", "x", FLOATS, _R83 + "aclnnExpm1&aclnnInplaceExpm1.md"),
    ),
    "negative": (_map("aclnnNeg", "x", FLOATS, _R80 + "aclnnNeg&aclnnInplaceNeg.md"),),
    "selu": (_map("aclnnSelu", "input", WIDE, _R83 + "aclnnSelu&aclnnInplaceSelu.md"),),
    "elu": (
        Row(
            "aclnnElu",
            (
                given("input"),
                scalar("alpha", "input"),
                scalar(1.0, "input"),
                scalar(1.0, "input"),
                result("y"),
            ),
            WIDE,
            _RC3 + "aclnnElu&aclnnInplaceElu.md",
        ),
    ),
    "prelu": (
        Row(
            "aclnnPrelu",
            (given("input"), given("weight"), result("y")),
            FLOATS,
            _R83 + "aclnnPrelu.md",
        ),
    ),
    "glu": (
        Row(
            "aclnnGlu",
            (
                given("x", _halves),
                Argument("int64_t", "last", lambda c: len(c.arrays["y"].shape) - 1),
                result("y"),
            ),
            FLOATS,
            _RC3 + "aclnnGlu.md",
        ),
    ),
    "addcmul": (
        Row(
            "aclnnAddcmul",
            (
                given("input"),
                given("tensor1"),
                given("tensor2"),
                scalar("value", "input"),
                result("y"),
            ),
            FLOATS,
            _RC2 + "aclnnAddcmul&aclnnInplaceAddcmul.md",
        ),
    ),
    # -- rows ------------------------------------------------------------------------
    "softmax": (
        Row(
            "aclnnSoftmax",
            (given("x"), last_axis("x"), result("y")),
            FLOATS,
            _R83 + "aclnnSoftmax.md",
        ),
    ),
    "logsumexp": (
        Row(
            "aclnnLogSumExp",
            (given("x"), axes(), number("bool", False), result("y")),
            FLOATS,
            _RC3 + "aclnnLogSumExp.md",
        ),
    ),
    "sum": (
        Row(
            "aclnnReduceSum",
            (given("x"), axes(), number("bool", False), data_type("y"), result("y")),
            FLOATS | INTEGERS,
            _R80 + "aclnnReduceSum.md",
        ),
    ),
    "cumsum": (
        Row(
            "aclnnCumsum",
            (given("x"), last_axis("x"), data_type("y"), result("y")),
            FLOATS | INTEGERS,
            _RC1 + "aclnnCumsum.md",
        ),
    ),
    "layer_norm": (_LAYER_NORM,),
    "rms_norm": (
        Row(
            "aclnnRmsNorm",
            (
                given("x"),
                given("weight"),
                attribute("double", "eps"),
                result("y"),
                spare("x", _ones_behind),
            ),
            FLOATS,
            _RC2 + "aclnnRmsNorm.md",
        ),
    ),
    "cann_rms_norm": (
        Row(
            "aclnnRmsNorm",
            (
                given("x"),
                given("gamma"),
                attribute("double", "epsilon"),
                result("y"),
                result("rstd", _with_one),
            ),
            FLOATS,
            _RC2 + "aclnnRmsNorm.md",
        ),
    ),
    "fused_add_rms_norm": (
        Row(
            "aclnnAddRmsNorm",
            (
                given("input"),
                given("residual"),
                given("weight"),
                attribute("double", "epsilon"),
                result("y"),
                spare("input", _ones_behind),
                result("residual_sum"),
            ),
            FLOATS,
            _R82 + "aclnnAddRmsNorm.md",
        ),
    ),
}

# What the library is opened with: each call once, with the types of its arguments.
CALLS: tuple[tuple[str, tuple[str, ...]], ...] = tuple(
    sorted(
        {
            (row.call, tuple(a.ctype for a in row.arguments))
            for rows in TABLE.values()
            for row in rows
        }
    )
)
