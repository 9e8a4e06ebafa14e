"""Every error code of the front end is produced, and its exact text is kept."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

from opslib.errors import OpslibError, SpecError
from opslib.language import Source, check, parse_operators, render
from opslib.language.checker import diagnose, warnings
from opslib.language.diagnostics import CODES, Diagnostic, argument_error
from opslib.language.library import (
    check_sources,
    load_library,
    parse_operator_text,
)
from opslib.language.syntax import Span

HEAD = "op f(x: T[..., n], w: T[n], b: T[n]?, k: int = 1) -> y: T[..., n]\n"

CASES: dict[str, str] = {
    "E0101_sign": "op f(x: T) -> y: T = x ** 2\n",
    "E0101_greek": "op f(α: T) -> y: T = α × 2\n",
    "E0101_bidi": "# \u202e\nop f(x: T) -> y: T = x\n",
    "E0102": 'op f(m: "a) -> y: T = x\n',
    "E0103": 'op f(m: "a\\q", x: T) -> y: T = x\n',
    "E0104": "op f(x: T) -> y: T\n    y[..., i = max(x[..., i], 0\n\n"
    "op g(x: T) -> y: T = x\n",
    "E0105_nothing": "op f(x: T) -> y: T = x)\n",
    "E0105_kind": "op f(x: T) -> y: T = max(x[0), 1)\n",
    "E0106_product": "op f(x: T) -> y: T = 2x\n",
    "E0106_point": "op f(x: T) -> y: T = 1. * x\n",
    "E0106_large": "op f(x: T) -> y: T = 1e999 * x + 99999999999999999999\n",
    "E0107_tab": "op f(x: T) -> y: T\n\ty = x\n",
    "E0107_level": HEAD + "    y[..., i] = x[..., i]\n  exact\n",
    "E0109": "op f(x: T) -> y: T = " + "(" * 65 + "x" + ")" * 65 + "\n",
    "E0110": "op " + "f" * 65 + "(x: T) -> y: T = x\n",
    "E0201": "op f(x: T) -> y: T = x +\n",
    "E0201_type": "op f(x) -> y: T = x\n",
    "E0201_range": HEAD + "    y[..., i] = sum[j in 0](x[..., j])\n",
    "E0202": "f(x: T) -> y: T = x\n",
    "E0203": HEAD + "    y[..., i] = x[..., i] if 0 <= i < n else 0\n",
    "E0204": "op f(if: T) -> y: T = 1\n",
    "E0205": "op f(x: T) -> y: T\n\nop g(x: T) -> y: T = x\n",
    "E0206": "op f(x: T) -> y: T = max (x, 0)\n",
    "E0207": HEAD + "    y[..., i] = x[..., i]\n        z = 1\n    exact\n",
    "E0208": HEAD + "    y[..., i] sub= x[..., i]\n",
    "E0209": "op f(x: T, *) -> y: T = x\n",
    "E0209_order": "op f(a: float = 1.0, x: T) -> y: T = x * a\n",
    "E0209_variadic": "op f(*k: int, x: T) -> y: T = x\n",
    "E0210": HEAD + "    y[..., i] = x[..., i] if k = 1 else 0\n",
    "E0211": "# nothing\n",
    "E0212": "op f(x: T) -> y: T = g(a=1, x)\n",
    "E0213": HEAD + "    y[..., i] = x[..., (i + 1 j)]\n",
    "E0301": HEAD + "    y[..., i] = x[..., i] * w[j]\n",
    "E0301_near": "op f(x: T, weight: T) -> y: T = x * wieght\n",
    "E0302_near": "op f(x: T) -> y: T = sgimoid(x)\n",
    "E0302_fold": HEAD + "    y[..., i] = sum(x[..., i])\n",
    "E0302_tensor": HEAD + "    y[..., i] = x(i)\n",
    "E0303": "op f(x: T, x: T) -> y: T = x\n",
    "E0303_local": HEAD + "    n = 2\n    y[..., i] = x[..., i]\n",
    "E0304": HEAD + "    z[..., i] = x[..., i]\n",
    "E0305": HEAD + "    y[..., i] = x[..., i]\n    y[..., j] = w[j]\n",
    "E0306": HEAD + "    y[..., i] = z[..., i]\n    z[..., i] = x[..., i]\n",
    "E0307": "op f(x: T) -> y: T = g(x)\n\nop g(x: T) -> y: T = f(x)\n",
    "E0308": HEAD + "    y[..., i] = sum[i](x[..., i])\n",
    "E0309": "op f(x: T) -> y: T = x\n\nop f(x: T) -> y: T = -x\n",
    "E0310": HEAD + "    x[..., i] = w[i]\n    y[..., i] = x[..., i]\n",
    "E0311_primitive": "op f(x: T) -> y: T = exp(x, x)\n",
    "E0311_operator": "op f(x: T) -> y: T = g(x)\n\nop g(a: T, b: T) -> y: T = a\n",
    "E0312": "op f(x: T) -> y: T = g(x, sclae=2)\n\n"
    "op g(x: T, scale: int = 1) -> y: T = x * scale\n",
    "E0401": "op f(x: T) -> y: flaot32 = x\n",
    "E0401_class": "op f(x: T, mode: float8) -> y: T = x\n",
    "E0402": "op f(x: T) -> y: T where T: floats = x\n",
    "E0403": "op f(x: T, k: int = 1.5) -> y: T = x * k\n",
    "E0403_count": "op f(x: T, k: int[2] = (1, 2, 3)) -> y: T = x * k[0]\n",
    "E0403_choice": 'op f(x: T, m: "a" | "b" = "c") -> y: T = x\n',
    "E0404": HEAD + "    y[..., i] = x[..., i] + b[i]\n",
    "E0405": 'op f(x: T, m: "none" | "tanh") -> y: T = x if m == "tahn" else 0\n',
    "E0405_number": HEAD + '    y[..., i] = x[..., i] if k == "a" else 0\n',
    "E0406": "op f(x: T) -> y: T where U: float = x\n",
    "E0407": "op f(x: T) -> y: U = x\n",
    "E0408": HEAD + "    y[..., i] = x[..., i] if w is none else w[i]\n",
    "E0409_scalar": HEAD + "    y[..., i] = x[..., i] * k[0]\n",
    "E0409_string": 'op f(x: T, m: "a" | "b" = "a") -> y: T = x * m + "a"\n',
    "E0409_none": "op f(x: T) -> y: T = x if x == 0 else none\n",
    "E0409_list": "op f(x: T, k: int[2], d: dtype, s: shape) -> y: T = x * k + d + s\n",
    "E0409_count": "op f(x: T, k: int[2]) -> y: T = x * k[2]\n",
    "E0410": HEAD + "    y[..., i] = -x[..., i] ?? 0\n",
    "E0411": "op f(*xs: T[..., n]) -> y: T[...]\n    y[...] = sum[v](xs[..., v])\n",
    "E0412": HEAD + "    a[i], c[i] = w[i]\n    y[..., i] = a[i]\n",
    "E0413": "op f(x: T[n], m: bool[n]) -> y: T[n] where T: float\n"
    "    y[i] = sum[j](x[j] * m[i])\n",
    "E0413_open": "op f(x: T, c: bool[...]) -> y: T = x if c else 0.5\n",
    "E0413_division": "op f(x: I) -> y: I where I: int | bool = x / (x + 1)\n",
    "E0413_function": "op f(x: I) -> y: float32[...] where I: int = exp(x)\n",
    "E0413_bits": "op f(x: T) -> y: T where T: float = x << 2\n",
    "E0413_index": "op f(x: T[n], i: F[m]) -> y: T[m] where F: float\n"
    "    y[k] = x[i[k]]\n",
    "E0413_result": "op f(x: T) -> y: bool[...] where T: float = x * 2\n",
    "E0413_operator": "op f(x: T) -> y: T where T: int = g(x)\n\n"
    "op g(x: T) -> y: T where T: float = exp(x)\n",
    "E0413_unsigned": "op f(x: I, u: uint64[...]) -> y: I where I: sint = x + u\n",
    "E0501": HEAD + "    y[..., i] = x[..., n]\n",
    "E0501_target": HEAD + "    y[..., n] = x[..., n]\n",
    "E0502": "op f(x: T[n]) -> y: T[n, m]\n    y[i, j] = x[i]\n",
    "E0502_pack": "op f(x: T[n]) -> y: T[..., n]\n    y[..., i] = x[i]\n",
    "E0503": HEAD + "    y[..., i] = x[i] * w[i, i]\n",
    "E0503_bare": HEAD + "    y[..., i] = x * w[i]\n",
    "E0503_element": "op f(x: T) -> y: T = g(x, axis=0)\n\n"
    "op g(x: T[...s], axis: axes[s] = none) -> y: T[...(drop(s, axis))]\n"
    "    y[...i] = sum[...j](x[...(weave(i, j, axis))])\n",
    "E0503_line": "op f(x: T[..., n]) -> y: T[..., n] = x\n",
    "E0504": HEAD + "    y[..., i] = sum[j](x[..., i])\n",
    "E0505": HEAD + "    y[..., i] = sum[j](x[..., 2 * j + i] ?? 0)\n",
    "E0506": "op f(x: T[..., n]) -> y: T[n]\n    y[i] = sum[j](x[..., j]) * i\n",
    "E0507": HEAD + "    y[..., i] = y[..., i] + x[..., i]\n",
    "E0507_circle": HEAD + "    a[..., i] = y[..., i - 1] ?? 0\n"
    "    y[..., i] = a[..., i + 1] ?? x[..., i]\n",
    "E0508": "op f(x: T[n], ids: I[n], s: T[m]) -> y: T[m] where I: int\n"
    "    y[ids[i]] = x[i]\n",
    "E0509": "op f(x: T[n], ids: I[n], s: T[m]) -> y: T[m] where I: int\n"
    "    y[ids[i]] add= x[i]\n",
    "E0510": "op f(a: T[n]) -> y: T[2 * n]\n    y[2 * i] = a[i]\n",
    "E0510_residue": "op f(x: T[n]) -> y: T[n]\n    y[i] = x[i] when i % 3 == 0\n"
    "    y[i] = -x[i] when i % 3 == 1\n",
    "E0305_overlap": "op f(a: T[n], b: T[n]) -> y: T[n + 1]\n"
    "    y[i] = a[i] for i in 0..n\n    y[n + i // 2] = b[i] for i in 0..2\n",
    "E0511": "op f(x: T[n], k: int) -> y: T[n]\n    y[i] = x[i] for i in 0..k\n"
    "    y[i] = 0 for i in k..n\n",
    "E0512": "op f(x: T[n]) -> y: T[n]\n    z[i] = x[i] when i > 0\n    y[i] = z[i]\n",
    "E0209_results": "op f(x: T[n]) -> (*ys[v in 0..n]: T[], z: T[])\n"
    "    ys[v] = x[v]\n    z = x[0]\n",
    "E0209_absent": "op f(x: T[n]) -> y: T[n?]\n    y[i] = x[i]\n",
    "E0411_result": "op f(x: T[n, m]) -> *ys[v in 0..n]: T[m]\n    ys[i] = x[0, i]\n",
    "E0502_dots": "op f(x: T[..., n, ...]) -> y: T[n]\n    y[i] = x[..., i, ...]\n",
    "E0502_fraction": "op f(x: T[n]) -> y: T[n / 2]\n    y[i] = x[2 * i]\n",
    "E0502_list": "op f(x: T[...s], k: int[...z]) -> y: T[...s]\n"
    "    y[...i] = x[...i]\n",
    "E0601": HEAD + "    y[..., i] = x[..., i]\n    smple x in [0, 1]\n",
    "E0602": HEAD + "    y[..., i] = x[..., i]\n    exact\n    exact\n",
    "E0603": HEAD + "    y[..., i] = x[..., i]\n    axis m\n    sample v in [0, 1]\n"
    "    bounds k raise\n",
    "E0604_rank": HEAD + "    y[..., i] = x[..., i]\n"
    "    workload large: x float32[4096, 64], w float32[64, 1]\n",
    "E0604_size": HEAD + "    y[..., i] = x[..., i]\n"
    "    workload large: x float32[4096, 64], w float32[32], eps=1\n",
    "E0605": HEAD + "    y[..., i] = x[..., i]\n    sample x in [1, -1]\n",
    "E0606": HEAD + "    y[..., i] = x[..., i]\n    bounds x wrap\n",
}


def failure(text: str) -> SpecError:
    """The error that a text of operators raises."""
    try:
        if not check_sources((Source("case.op", text),)):
            parse_operator_text(text, {})
    except SpecError as error:
        return error
    raise AssertionError("no error was raised")


@pytest.mark.parametrize("case", CASES)
def test_the_text_of_each_error_is_kept(
    case: str, golden: Callable[[str, str], None]
) -> None:
    error = failure(CASES[case])
    assert error.code == case.partition("_")[0]
    golden(f"errors/{case}.txt", error.message + "\n")


# What people write who come from Python, C or NumPy, and what the help must say.
SLIPS: dict[str, str] = {
    "def f(x: T) -> y: T = x": "begins with 'op'",
    "op f(x: T) => y: T = x": "'->'",
    "op f(x: T) -> y: T = return x": "no 'return'",
    "op f(x: T) -> y: T\n    return x": "no 'return'",
    "op f(x: T) -> y: T = np.exp(x)": "by their name alone",
    "op f(x: T) -> y: T = exp x": "exp(x)",
    "op f(x: T) -> y: T = x > 0 ? x : 0": "a if condition else b",
    "op f(x: T) -> y: T = x if x > 0": "a if condition else b",
    "op f(x: T[n]) -> y: T[n]\n    y[i] = if x[i] > 0: x[i]": "a if condition else b",
    "op f(x: T) -> y: T = x <> 1": "'!='",
    "op f(x: T) -> y: T = .5 * x": "0.5",
    "op f(x: T[n]) -> y: T[n] = x[:1]": "no slices",
    "op f(x: T[n]) -> y: T[n] = x[0:1]": "no slices",
    "op f(x: T, a: bool = True) -> y: T = x": "'true'",
    "op f(x: T, a: int = None) -> y: T = x": "'none'",
    "op f(x: T) -> y: T, z: T = x": "(y: T, z: T)",
    "op f(x: T) -> y: T where T float = x": "T: float",
    "op f(x: T[n]) -> y: T[n]\n    y[i] = x[i] @ x[i]": "sum[k]",
    "op f(x: T, a: int = 1.5) -> y: T = x * a": "a = 1",
    "op f(x: T) -> y: T = exp(x, x)": "exp(x)",
    "op f(x: T[n]) -> y: T[n]\n    y[i] = x[i, i]": "x[i]",
    "op f(x: T) -> y: T where T: float = softmax(x)": "softmax[j]",
    "op f(x: T) -> y: T = reshape(x, 4)": "reshape[j]",
}


@pytest.mark.parametrize("text", SLIPS)
def test_a_slip_is_answered_with_what_was_meant(text: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_operator_text(text, load_library())
    message = caught.value.message
    assert "^" in message
    helps = [line for line in message.splitlines() if "= help:" in line]
    assert any(SLIPS[text] in line for line in helps), message


def test_each_code_of_the_front_end_has_a_case() -> None:
    produced = {case.partition("_")[0] for case in CASES}
    too_large_for_a_golden_file = {"E0108"}
    expected = {code for code in CODES if "E01" <= code < "E07"}
    assert produced | too_large_for_a_golden_file == expected


def test_no_golden_file_is_left_over(request: pytest.FixtureRequest) -> None:
    folder = request.path.parents[1] / "errors"
    assert {file.stem for file in folder.glob("E0[1-6]*.txt")} == set(CASES)


def test_a_text_may_not_be_too_large() -> None:
    error = failure("#" * (1 << 20) + "\n\n")
    assert error.code == "E0108"
    assert len(error.message) < 300


def test_codes_are_sentences_without_a_full_stop() -> None:
    for code, meaning in CODES.items():
        assert len(code) == 5
        assert meaning == meaning.strip()
        assert not meaning.endswith(".")


def test_several_errors_are_reported_at_once() -> None:
    text = HEAD + "    y[..., i] = x[i] + zz\n    sample v in [0, 1]\n"
    message = failure(text).message
    assert [line[6:11] for line in message.splitlines() if line[:6] == "error["] == [
        "E0503",
        "E0301",
        "E0603",
    ]


def test_parsing_goes_on_after_an_error() -> None:
    text = "op f(x T) -> y: T = x\nop g(x: T) -> y: T\n    y[i = x\n    z = = 1\n"
    text = text.replace("[i =", "=")
    text += "    bounds x wrap\nop h(x: T) -> y: T = x x\n"
    message = failure(text).message
    assert message.count("error[") == 4


def test_a_spec_error_pickles() -> None:
    error = failure(CASES["E0503"])
    again = pickle.loads(pickle.dumps(error))
    assert (again.message, again.code, again.help) == (
        error.message,
        error.code,
        error.help,
    )
    assert isinstance(again, OpslibError)


def test_render_aligns_wide_characters_and_tabs() -> None:
    source = Source("a.op", "日本\tx y\n")
    diagnostic = Diagnostic("E0301", "no x", Span(source, 3, 4))
    lines = render(diagnostic).splitlines()
    assert lines[3] == "1 | 日本    x y"
    assert lines[4] == "  |         ^"  # 日本 takes four columns, the tab four more


def test_render_shows_nothing_a_terminal_obeys() -> None:
    source = Source("a\x1b[31m.op", "x \x1b[31m y\n")
    text = render(Diagnostic("E0301", "no x", Span(source, 0, 1)))
    assert "\x1b" not in text


def test_render_in_colour_has_the_same_words() -> None:
    error = Diagnostic("E0301", "no x", Span(Source("a.op", "x\n"), 0, 1), (), "h")
    colourful = render(error, color=True)
    assert "\x1b[1;31merror[E0301]" in colourful
    import re

    assert re.sub("\x1b\\[[0-9;]*m", "", colourful) == render(error)


def test_warnings_name_unused_locals() -> None:
    (operator,) = parse_operators(HEAD + "    z = 1\n    y[..., i] = x[..., i]\n")
    check(operator, {})
    (warning,) = warnings(operator, {})
    assert warning.code == "W0301"
    assert render(warning).startswith("warning[W0301]: 'z' is never used")


def test_argument_errors_point_into_the_signature(
    golden: Callable[[str, str], None],
) -> None:
    text = "op matmul(a: T[..., m, k], b: T[..., k, n]) -> c: T[..., m, n]\n"
    text += "    c[..., i, j] = sum[l](a[..., i, l] * b[..., l, j])\n"
    (operator,) = parse_operators(Source("specs/contraction.op", text))
    diagnostic = argument_error(
        operator,
        "b:1",
        "matmul: the sizes of 'k' differ",
        code="E0702",
        labels=(
            ("a:2", "a has shape (3, 4), so k = 4"),
            ("b:1", "b has shape (5, 6), so k = 5"),
        ),
        help="b needs 4 rows",
    )
    golden("errors/E0702_matmul.txt", render(diagnostic) + "\n")


def test_diagnose_is_in_the_order_of_the_text() -> None:
    (operator,) = parse_operators(HEAD + "    y[..., i] = u + v + x[i]\n    axis m\n")
    errors, _ = diagnose(operator, {})
    assert [error.code for error in errors] == ["E0301", "E0301", "E0503", "E0603"]
