"""The derivative of each primitive: what an adjoint becomes on its way to an operand.

A rule takes the node and its adjoint, and gives one adjoint for each operand, or None
for an operand that gets nothing. Conventions at kinks, the same in all operators:

* ``abs'(0) = 0`` and ``sign' = 0``: PyTorch, JAX.
* ``max(x, y)``, ``min(x, y)`` at a tie: each operand gets half: PyTorch, JAX. Against a
  literal or an attribute, which takes no gradient, the tie gives 0: ``relu'(0) = 0``.
* rounding, comparisons, classifications: 0. ``floor' = 0`` everywhere.
* ``fmax``, ``fmin`` with one nan: all to the number, as the value is.
* ``copysign`` passes the sign of the quotient to x, and nothing to y: PyTorch, JAX.
* ``hypot'(0, 0) = 0``; ``sqrt'(0) = inf`` is what the formula gives, as everywhere.
* a cast between floats passes its adjoint on unrounded: rounding counts as identity.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from opslib.analysis.gradient.products import Products
from opslib.ir.build import compare, function, select
from opslib.ir.expr import Const, Expr, Prim

Adjoints = Sequence[Expr | None]
Rule = Callable[["Deriving"], Adjoints]


class Deriving:
    """A node, its adjoint `g`, and which operands want one."""

    def __init__(
        self, node: Prim, g: Expr, wanted: Sequence[bool], products: Products
    ) -> None:
        self.node = node
        self.g = g
        self.wanted = wanted
        self.products = products

    @property
    def x(self) -> Expr:
        """The first operand."""
        return self.node.args[0]

    @property
    def y(self) -> Expr:
        """The second operand."""
        return self.node.args[1]

    def number(self, value: float) -> Const:
        """A literal of the node's type."""
        return Const(value, self.node.type)

    def times(self, *factors: Expr) -> Expr:
        """The adjoint times factors."""
        return self.products.times(self.g, *factors)

    def over(self, bottom: Expr, *factors: Expr) -> Expr:
        """The adjoint times factors over a divisor."""
        top = self.products.times(self.g, *factors) if factors else self.g
        return self.products.over(top, bottom)

    def where(self, condition: Expr) -> Expr:
        """The adjoint where the condition holds, else 0."""
        return select(condition, self.g, self.number(0.0))

    def one_minus(self, value: Expr) -> Expr:
        """1 - value."""
        return Prim("sub", (self.number(1.0), value), self.node.type)

    def one_plus(self, value: Expr) -> Expr:
        """1 + value."""
        return Prim("add", (self.number(1.0), value), self.node.type)

    def square(self, value: Expr) -> Expr:
        """value^2."""
        return Prim("mul", (value, value), self.node.type)


def derivative(
    node: Prim, g: Expr, wanted: Sequence[bool], products: Products
) -> Adjoints:
    """The adjoints of the operands of `node`, whose own is `g`.

    Raises:
        KeyError: the primitive has no rule; a test holds the table to all of them.
    """
    return RULES[node.op](Deriving(node, g, wanted, products))


def _extreme(d: Deriving) -> Adjoints:
    """Max and min, and fmax and fmin, where a nan loses."""
    x, y, half = d.x, d.y, d.number(0.5)
    better = "gt" if d.node.op in ("max", "fmax") else "lt"
    lost_x = lost_y = None
    if d.node.op in ("fmax", "fmin"):
        lost_x, lost_y = function("isnan", x), function("isnan", y)
    found: list[Expr | None] = []
    for own, other, lost in ((x, y, lost_y), (y, x, lost_x)):
        taken = compare(better, own, other)
        if lost is not None:
            taken = Prim("or", (taken, lost), taken.dtype)
        value = d.number(0.0)
        if all(d.wanted):
            tie = compare("eq", own, other)
            value = select(tie, d.products.times(half, d.g), value)  # type: ignore[assignment]
        found.append(select(taken, d.g, value))
    return found


def _power(d: Deriving) -> Adjoints:
    """x^y: y x^(y - 1), which is 0 for y = 0 even at x = 0; log(x) x^y, 0 at x = 0."""
    x, y, zero = d.x, d.y, d.number(0.0)
    dx = dy = None
    if d.wanted[0]:
        if isinstance(y, Const):
            less = Const(float(y.value) - 1, y.type)
        else:
            less = Prim("sub", (y, d.number(1.0)), y.dtype)  # type: ignore[assignment]
        dx = d.times(y, Prim("pow", (x, less), x.dtype))
        if not isinstance(y, Const):
            dx = select(compare("eq", y, zero), zero, dx)
    if d.wanted[1]:
        dy = d.times(d.node, function("log", x))
        dy = select(compare("eq", x, zero), zero, dy)
    return dx, dy


def _hypot(d: Deriving) -> Adjoints:
    zero = d.number(0.0)
    there = compare("eq", d.node, zero)
    return [
        select(there, zero, d.over(d.node, x)) if wanted else None
        for x, wanted in zip(d.node.args, d.wanted, strict=True)
    ]


def _arc(d: Deriving) -> Adjoints:
    """atan2(x, y), the angle of the point (y, x)."""
    size = Prim("add", (d.square(d.x), d.square(d.y)), d.node.type)
    return d.over(size, d.y), d.products.minus(d.over(size, d.x))


def _copysign(d: Deriving) -> Adjoints:
    same = compare("eq", function("signbit", d.x), function("signbit", d.y))
    return select(same, d.g, d.products.minus(d.g)), None


def _fmod(d: Deriving) -> Adjoints:
    whole = function("trunc" if d.node.op == "fmod" else "floor", _ratio(d))
    return d.g, d.products.minus(d.times(whole)) if d.wanted[1] else None


def _ratio(d: Deriving) -> Expr:
    return Prim("div", (d.x, d.y), d.node.type)


def _gelu(d: Deriving) -> Adjoints:
    """Phi(x) + x phi(x), with Phi by erfc, exact in both tails."""
    x = d.x
    inner = Prim("mul", (x, d.number(-math.sqrt(0.5))), x.dtype)
    below = Prim("mul", (d.number(0.5), function("erfc", inner)), x.dtype)
    half = Prim("mul", (d.number(-0.5), d.square(x)), x.dtype)
    density = Prim("mul", (x, function("exp", half)), x.dtype)
    density = Prim("mul", (density, d.number(1 / math.sqrt(2 * math.pi))), x.dtype)
    return (d.times(Prim("add", (below, density), x.dtype)),)


def _gelu_tanh(d: Deriving) -> Adjoints:
    """S + x s (1 - s) u' of x s with s = sigmoid(u), u = 2 sqrt(2/pi) (x + c x^3)."""
    x, scale, cubic = d.x, 2 * math.sqrt(2 / math.pi), 0.044715
    square = d.square(x)
    poly = d.one_plus(Prim("mul", (d.number(cubic), square), x.dtype))
    u = Prim("mul", (Prim("mul", (d.number(scale), x), x.dtype), poly), x.dtype)
    slope = d.one_plus(Prim("mul", (d.number(3 * cubic), square), x.dtype))
    slope = Prim("mul", (d.number(scale), slope), x.dtype)
    s = function("sigmoid", u)
    inner = Prim("mul", (Prim("mul", (x, d.one_minus(s)), x.dtype), slope), x.dtype)
    return (d.times(s, d.one_plus(inner)),)


def _silu(d: Deriving) -> Adjoints:
    s = function("sigmoid", d.x)
    inner = Prim("mul", (d.x, d.one_minus(s)), d.x.dtype)
    return (d.times(s, d.one_plus(inner)),)


def _nothing(d: Deriving) -> Adjoints:
    return [None] * len(d.node.args)


def _tan(d: Deriving) -> Adjoints:
    return (d.times(d.one_plus(d.square(d.node))),)


def _minus(d: Deriving) -> Expr:
    return Prim("neg", (d.x,), d.node.type)


RULES: dict[str, Rule] = {
    "add": lambda d: (d.g, d.g),
    "sub": lambda d: (d.g, d.products.minus(d.g)),
    "mul": lambda d: (
        d.times(d.y) if d.wanted[0] else None,
        d.times(d.x) if d.wanted[1] else None,
    ),
    "div": lambda d: (
        d.over(d.y) if d.wanted[0] else None,
        d.products.minus(d.over(d.y, d.node)) if d.wanted[1] else None,
    ),
    "fmod": _fmod,
    "mod": _fmod,
    "pow": _power,
    "neg": lambda d: (d.products.minus(d.g),),
    "abs": lambda d: (d.times(function("sign", d.x)),),
    "max": _extreme,
    "min": _extreme,
    "fmax": _extreme,
    "fmin": _extreme,
    "copysign": _copysign,
    "atan2": _arc,
    "hypot": _hypot,
    "sqrt": lambda d: (d.over(d.node, d.number(0.5)),),
    "rsqrt": lambda d: (d.times(d.number(-0.5), d.node, d.node, d.node),),
    "reciprocal": lambda d: (d.products.minus(d.times(d.node, d.node)),),
    "exp": lambda d: (d.times(d.node),),
    "exp2": lambda d: (d.times(d.number(math.log(2)), d.node),),
    "expm1": lambda d: (d.times(function("exp", d.x)),),
    "log": lambda d: (d.over(d.x),),
    "log2": lambda d: (d.over(d.x, d.number(1 / math.log(2))),),
    "log10": lambda d: (d.over(d.x, d.number(1 / math.log(10))),),
    "log1p": lambda d: (d.over(d.one_plus(d.x)),),
    "sin": lambda d: (d.times(function("cos", d.x)),),
    "cos": lambda d: (d.products.minus(d.times(function("sin", d.x))),),
    "tan": _tan,
    "asin": lambda d: (d.times(function("rsqrt", d.one_minus(d.square(d.x)))),),
    "acos": lambda d: (
        d.products.minus(d.times(function("rsqrt", d.one_minus(d.square(d.x))))),
    ),
    "atan": lambda d: (d.over(d.one_plus(d.square(d.x))),),
    "sinh": lambda d: (d.times(function("cosh", d.x)),),
    "cosh": lambda d: (d.times(function("sinh", d.x)),),
    "tanh": lambda d: (d.times(d.one_minus(d.square(d.node))),),
    "asinh": lambda d: (d.times(function("rsqrt", d.one_plus(d.square(d.x)))),),
    "acosh": lambda d: (
        d.times(
            function("rsqrt", Prim("sub", (d.x, d.number(1.0)), d.node.type)),
            function("rsqrt", d.one_plus(d.x)),
        ),
    ),
    "atanh": lambda d: (d.over(d.one_minus(d.square(d.x))),),
    "erf": lambda d: (
        d.times(
            d.number(2 / math.sqrt(math.pi)),
            function("exp", Prim("neg", (d.square(d.x),), d.node.type)),
        ),
    ),
    "erfc": lambda d: (
        d.times(
            d.number(-2 / math.sqrt(math.pi)),
            function("exp", Prim("neg", (d.square(d.x),), d.node.type)),
        ),
    ),
    "sigmoid": lambda d: (d.times(d.node, d.one_minus(d.node)),),
    "log_sigmoid": lambda d: (d.times(function("sigmoid", _minus(d))),),
    "softplus": lambda d: (d.times(function("sigmoid", d.x)),),
    "silu": _silu,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    **dict.fromkeys(("sign", "floor", "ceil", "round", "trunc"), _nothing),
}

# Primitives of floats that have no derivative at all, with the reason.
UNDEFINED: dict[str, str] = {
    "nextafter": "the neighbour of a number is a property of its type, not a function",
}
