"""The public contract of a call: arrays of every kind, `out`, weak scalars, errors."""

from __future__ import annotations

import enum
import warnings
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import opslib

F = np.float32


def array(*shape: int, dtype: Any = F, seed: int = 0) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


# --- out ---------------------------------------------------------------------------


def test_out_is_written_and_returned() -> None:
    a, b, out = array(3, 4), array(3, 4, seed=1), np.empty((3, 4), F)
    assert opslib.add(a, b, out=out) is out
    np.testing.assert_array_equal(out, a + b)
    assert opslib.add(a, b, out=out) is out


@pytest.mark.parametrize("shape", [(4, 3), (3, 4, 1), (1, 4), ()])
def test_out_has_the_exact_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(opslib.ShapeError, match="out of add has shape"):
        opslib.add(array(3, 4), array(3, 4), out=np.empty(shape, F))


def test_out_may_be_of_the_same_kind_only() -> None:
    a = array(5)
    wide, narrow = np.empty(5), np.empty(5, np.float16)
    np.testing.assert_array_equal(opslib.add(a, a, out=wide), (a + a).astype(float))
    np.testing.assert_array_equal(opslib.add(a, a, out=narrow), (a + a).astype("f2"))
    with pytest.raises(opslib.DTypeError, match="does not go into"):
        opslib.add(a, a, out=np.empty(5, np.int32))


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2])
def test_out_may_overlap_the_inputs(shift: int) -> None:
    whole = np.arange(20, dtype=F)
    x, out = whole[5:12], whole[5 + shift : 12 + shift]
    want = x * x + 0
    opslib.multiply(x, x, out=out)
    np.testing.assert_array_equal(out, want)


def test_out_may_be_an_input_read_in_another_order() -> None:
    x = array(6, 6)
    want = x @ x
    assert opslib.matmul(x, x, out=x) is x
    np.testing.assert_allclose(x, want, rtol=1e-5)
    y = array(4, 4)
    opslib.flip(y, out=y[::-1])
    want = array(4, 4)[::-1, ::-1]
    np.testing.assert_array_equal(y[::-1], want)


@pytest.mark.parametrize("seed", range(6))
def test_out_may_have_any_strides(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = array(4, 5, 6), array(4, 5, 6, seed=1)
    base = np.full((12, 12, 12), 7, F)
    order = rng.permutation(3)
    view = base.transpose(order)
    slices = tuple(
        slice(0, 2 * n, 2) if rng.random() < 0.5 else slice(n, 0, -1) for n in a.shape
    )
    out = view[slices]
    opslib.add(a, b, out=out)
    np.testing.assert_array_equal(out, a + b)
    out[...] = 7
    assert (base == 7).all()


def test_out_of_a_reduction_with_strides() -> None:
    x, base = array(4, 5, 6), np.zeros((6, 4, 2), F)
    out = base[..., 1].T
    opslib.sum(x, axis=1, out=out)
    np.testing.assert_allclose(out, x.sum(1), rtol=1e-5)
    assert not base[..., 0].any()


def test_out_that_cannot_be_written() -> None:
    a = array(3)
    read_only = np.empty(3, F)
    read_only.flags.writeable = False
    with pytest.raises(opslib.ArgumentError, match="read-only"):
        opslib.add(a, a, out=read_only)
    out = np.empty(3, F)
    opslib.add(a, a, out=out)
    out.flags.writeable = False  # The plan is known by now.
    with pytest.raises(opslib.ArgumentError, match="read-only"):
        opslib.add(a, a, out=out)
    many = np.lib.stride_tricks.as_strided(np.zeros(1, F), (3,), (0,))
    with pytest.raises(opslib.ArgumentError, match="share memory"):
        opslib.add(a, a, out=many)
    for bad in ([0, 0, 0], 3, "x", np.float32(1), np.ma.masked_array([1.0, 2, 3])):
        with pytest.raises(opslib.ArgumentError, match="must be an array"):
            opslib.add(a, a, out=bad)
    with pytest.raises(opslib.ArgumentError, match="1 results, and out has 2"):
        opslib.add(a, a, out=(np.empty(3, F), np.empty(3, F)))


def test_out_in_the_other_byte_order() -> None:
    a, out = array(5), np.empty(5, ">f4")
    assert opslib.add(a, a, out=out) is out
    np.testing.assert_array_equal(out, a + a)


def test_out_of_several_results() -> None:
    x = array(3, 8)
    out = (np.empty((3, 2), F), np.empty((3, 2), np.int64))
    found = opslib.topk(x, k=2, out=out)
    assert found[0] is out[0]
    assert found[1] is out[1]
    np.testing.assert_array_equal(out[0], np.sort(x)[:, ::-1][:, :2])
    shared = np.empty((3, 2), np.int64)
    with pytest.raises(opslib.OpslibError, match=r"share memory|does not go"):
        opslib.topk(x, k=2, out=(shared, shared))


@pytest.mark.parametrize("backend", ["numpy", "cpu", "jax"])
def test_results_that_share_memory_are_found_on_every_call(backend: str) -> None:
    x = array(3, 8)
    apart = (np.empty((3, 2), F), np.empty((3, 2), np.int64))
    opslib.topk(x, k=2, out=apart, backend=backend)
    raw = np.zeros(64, np.uint8)
    indices, values = raw[:48].view(np.int64), raw[8:32].view(F)
    # Of the same dtypes, shapes and strides: the plan of the first call fits.
    shared = (values.reshape(3, 2), indices.reshape(3, 2))
    with pytest.raises(opslib.ArgumentError, match="share memory"):
        opslib.topk(x, k=2, out=shared, backend=backend)
    assert not raw.any()


@pytest.mark.parametrize("dtype", ["O", "U8", "S4", "M8[s]", "m8[s]"])
def test_out_holds_numbers(dtype: str) -> None:
    """NumPy's same_kind lets numbers into texts, cut off, and into durations."""
    x = np.arange(4)
    with pytest.raises(opslib.DTypeError, match="does not go into"):
        opslib.add(x, x, out=np.empty(4, dtype))


# --- Python scalars and promotion --------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ml_dtypes.bfloat16])
def test_a_python_number_is_weak(dtype: Any) -> None:
    a = array(4).astype(dtype)
    for number in (2, 2.5, True):
        for _ in range(3):  # Planned, then prepared.
            got = opslib.add(a, number)
            assert got.dtype == a.dtype
            np.testing.assert_array_equal(got, a + np.asarray(number, a.dtype))
    assert opslib.add(1.0, a).dtype == a.dtype


def test_a_python_number_that_does_not_fit() -> None:
    a = np.zeros(3, np.int8)
    assert opslib.add(a, 127).dtype == np.int8
    for _ in range(2):
        for number in (128, -129, 10**30):
            with pytest.raises(opslib.DTypeError, match="does not fit"):
                opslib.add(a, number)
    with pytest.raises(opslib.DTypeError, match="float does not fit"):
        opslib.add(a, 1.5)
    with pytest.raises(opslib.DTypeError):
        opslib.add(np.zeros(3, np.uint8), -1)
    with pytest.raises(opslib.DTypeError):
        opslib.add(np.zeros(3, F), 10**400)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isinf(opslib.add(np.zeros(1, F), 1e300)[0])


def test_python_numbers_alone() -> None:
    assert opslib.add(1, 2) == 3
    assert opslib.add(1, 2).dtype == np.int64
    assert opslib.add(1, 2.5).dtype == np.float64


class Colour(enum.IntEnum):
    RED = 1


def test_an_integer_enumeration_is_a_python_integer() -> None:
    assert opslib.add(np.zeros(2, np.int8), Colour.RED).dtype == np.int8


def test_numpy_scalars_are_arrays() -> None:
    a = array(4)
    for _ in range(3):
        assert opslib.add(a, np.float64(2)).dtype == np.float64
        assert opslib.add(a, np.array(2.0)).dtype == np.float64
        assert opslib.add(np.float32(1), np.float32(2)) == 3


@pytest.mark.parametrize(
    ("x", "y"),
    [("int32", "float32"), ("bool", "int8"), ("uint64", "int8"), ("bool", "float32")],
)
def test_promotions_that_the_standard_leaves_open(x: str, y: str) -> None:
    with pytest.raises(opslib.DTypeError, match="no common type") as caught:
        opslib.add(np.ones(2, x), np.ones(2, y))
    assert "opslib.astype" in str(caught.value)


def test_promotions_of_the_standard() -> None:
    for x, y in [("int8", "int32"), ("uint8", "int8"), ("float32", "float64")]:
        got = opslib.add(np.ones(2, x), np.ones(2, y))
        assert got.dtype == np.result_type(x, y)


# --- arguments ---------------------------------------------------------------------


def test_keywords_and_positions() -> None:
    x = array(2, 3)
    np.testing.assert_allclose(opslib.softmax(x, axis=0).sum(0), 1, rtol=1e-6)
    with pytest.raises(TypeError):
        opslib.softmax(x, axes=0)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        opslib.add(x1=x, x2=x)  # type: ignore[call-arg]


@pytest.mark.parametrize("axis", [None, 1.0, True, "0", 5, -3, (0,), np.array([0, 1])])
def test_an_axis_that_is_none(axis: Any) -> None:
    with pytest.raises(opslib.ArgumentError):
        opslib.softmax(array(2, 3), axis=axis)


def test_none_is_no_value_of_most_attributes() -> None:
    x = array(2, 3)
    with pytest.raises(opslib.ArgumentError, match="must not be None"):
        opslib.layer_norm(x, eps=None)
    with pytest.raises(opslib.ArgumentError, match="must not be None"):
        opslib.sum(x, keepdims=None)
    assert opslib.sum(x, axis=None).shape == ()


def test_optional_tensors() -> None:
    x, weight, bias = array(2, 3), array(3, seed=1), array(3, seed=2)
    plain = opslib.layer_norm(x)
    scaled = opslib.layer_norm(x, weight, bias)
    np.testing.assert_allclose(scaled, plain * weight + bias, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(
        opslib.layer_norm(x, bias=bias), plain + bias, rtol=1e-5, atol=1e-5
    )
    with pytest.raises(opslib.ArgumentError, match="'x' of softmax is missing"):
        opslib.softmax(None)


def test_several_results_are_a_named_tuple() -> None:
    found = opslib.topk(array(3, 5), k=2)
    assert found._fields == ("values", "indices")
    assert found.values.shape == found.indices.shape == (3, 2)


def test_optional_results() -> None:
    q = array(2, 4, 8)[None]
    plain = opslib.attention(q, q, q)
    assert plain.lse is None
    both = opslib.attention(q, q, q, return_lse=True)
    np.testing.assert_allclose(both.o, plain.o, rtol=1e-5, atol=1e-6)
    assert both.lse.shape == (1, 2, 4)


# --- NumPy's other arrays ----------------------------------------------------------


def test_a_masked_array_is_refused() -> None:
    masked = np.ma.masked_array(array(3), mask=[0, 1, 0])
    for _ in range(2):
        with pytest.raises(opslib.ArgumentError, match="forget its mask"):
            opslib.exp(masked)


def test_a_matrix_is_the_array_it_holds() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        matrix = np.matrix([[1.0, 2], [3, 4]])
    got = opslib.multiply(matrix, matrix)  # Elementwise, as the operator says.
    assert type(got) is np.ndarray
    np.testing.assert_array_equal(got, [[1, 4], [9, 16]])
    assert opslib.sum(matrix, axis=0).shape == (2,)


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (np.arange(3, dtype=">f4"), "other byte order"),
        (np.array([1, "a"], object), "not one of opslib's"),
        (np.zeros(3, [("a", "f4")]), "not one of opslib's"),
        (np.zeros(3, "M8[s]"), "not one of opslib's"),
        (np.zeros(3, complex), "not one of opslib's"),
        (np.array(["a"]), "not one of opslib's"),
    ],
    ids=["big-endian", "object", "structured", "datetime", "complex", "text"],
)
def test_dtypes_that_opslib_has_not(bad: Any, words: str) -> None:
    with pytest.raises(opslib.DTypeError, match=words):
        opslib.exp(bad)


@pytest.mark.parametrize(
    "bad", [[1.0, 2], (1.0,), "x", {}, object(), 1j, b"", range(3)]
)
def test_things_that_are_no_arrays(bad: Any) -> None:
    with pytest.raises(opslib.ArgumentError, match="where it takes an array"):
        opslib.exp(bad)


def test_read_only_inputs() -> None:
    x = array(5)
    x.flags.writeable = False
    np.testing.assert_array_equal(opslib.add(x, x), x + x)


def test_unaligned_inputs() -> None:
    raw = np.zeros(41, np.uint8)
    x = raw[1:].view(F)
    x[:] = np.arange(10)
    np.testing.assert_array_equal(opslib.add(x, x), x + x)
    fields = np.zeros(4, np.dtype([("a", "i1"), ("b", "f4")]))["b"]
    fields[:] = 1
    np.testing.assert_array_equal(opslib.add(fields, fields), fields + fields)
    opslib.add(x, x, out=x)
    np.testing.assert_array_equal(x, np.arange(10) * 2)


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 3), (2, 0, 4)])
def test_zero_size(shape: tuple[int, ...]) -> None:
    x = np.zeros(shape, F)
    assert opslib.add(x, x).shape == shape
    np.testing.assert_array_equal(opslib.sum(x, axis=0), x.sum(0))
    assert (
        opslib.matmul(np.zeros((3, 0), F), np.zeros((0, 2), F)).tolist() == [[0, 0]] * 3
    )


def test_sizes_beyond_32_bits() -> None:
    n = (1 << 33) + 5
    x = np.broadcast_to(F(3), (n,))
    at = np.array([0, n - 1])
    assert opslib.take(x, at, axis=0).tolist() == [3, 3]
    with pytest.raises(opslib.OperandIndexError):
        opslib.take(x, np.array([n]), axis=0)


# --- other libraries ---------------------------------------------------------------


class Capsule:
    """Has ``__dlpack__`` and nothing else."""

    def __init__(self, held: Any) -> None:
        self._held = held

    def __dlpack__(self, **named: Any) -> Any:
        return self._held.__dlpack__(**named)

    def __dlpack_device__(self) -> Any:
        return self._held.__dlpack_device__()


def test_dlpack_only_objects() -> None:
    x = array(3, 4)
    got = opslib.add(Capsule(x), Capsule(x))
    assert isinstance(got, np.ndarray)
    np.testing.assert_array_equal(got, x + x)

    class Broken(Capsule):
        def __dlpack__(self, **named: Any) -> Any:
            raise BufferError("it is elsewhere")

    with pytest.raises(opslib.DeviceError, match="it is elsewhere"):
        opslib.exp(Broken(x))


def test_torch() -> None:
    torch = pytest.importorskip("torch")
    x = torch.arange(12.0).reshape(3, 4)
    for _ in range(3):
        got = opslib.add(x, x)
        assert type(got) is torch.Tensor
        assert torch.equal(got, x + x)
        assert torch.equal(opslib.add(x, 2), x + 2)
        assert torch.equal(opslib.add(x.T, x.T), (x + x).T)
        assert torch.equal(opslib.add(x[:, ::2], x[:, 1::2]), x[:, ::2] + x[:, 1::2])
        assert torch.equal(opslib.sum(x), x.sum())
        zero = torch.tensor(2.0)
        assert torch.equal(opslib.multiply(x, zero), x * zero)
        half = x.to(torch.bfloat16)
        assert opslib.add(half, half).dtype is torch.bfloat16
        assert torch.equal(opslib.add(half, half), half + half)
    assert isinstance(opslib.topk(x, k=2).values, torch.Tensor)


def test_torch_out() -> None:
    torch = pytest.importorskip("torch")
    x = torch.arange(12.0).reshape(3, 4)
    out = torch.zeros(4, 3).T
    assert opslib.add(x, x, out=out) is out
    assert torch.equal(out, x + x)
    base = torch.zeros(3, 8)
    opslib.add(x, x, out=base[:, ::2])
    assert torch.equal(base[:, ::2], x + x)
    with pytest.raises(opslib.ArgumentError, match="share memory"):
        opslib.add(x, x, out=torch.zeros(4).expand(3, 4))
    with pytest.raises(opslib.ArgumentError, match="out of add is of numpy"):
        opslib.add(x, x, out=np.zeros((3, 4), F))


def test_torch_gradients() -> None:
    torch = pytest.importorskip("torch")
    x = torch.ones(3, requires_grad=True)
    with pytest.raises(opslib.ArgumentError, match="lose its gradient"):
        opslib.exp(x)
    with torch.no_grad():
        assert torch.equal(opslib.add(x, x), x + x)
    weight = torch.nn.Parameter(torch.ones(3))
    with pytest.raises(opslib.ArgumentError, match="lose its gradient"):
        opslib.exp(weight)


@pytest.mark.parametrize("backend", ["numpy", "cpu", None])
@pytest.mark.parametrize("kind", ["coo", "csr", "nested"])
def test_torch_tensors_that_are_not_dense(kind: str, backend: str | None) -> None:
    torch = pytest.importorskip("torch")
    dense = torch.eye(3)
    made: dict[str, Any] = {
        "coo": dense.to_sparse,
        "csr": dense.to_sparse_csr,
        "nested": lambda: torch.nested.nested_tensor([dense, dense[:1]]),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # That these layouts are in beta.
        x = made[kind]()
    for call in (
        lambda: opslib.exp(x, backend=backend),
        lambda: opslib.add(x, 2, backend=backend),
        lambda: opslib.exp.plan(x, backend=backend),
        lambda: opslib.explain("exp", x, backend=backend),
        lambda: opslib.exp(dense, out=x, backend=backend),
    ):
        with pytest.raises(opslib.OpslibError):
            call()


def test_torch_tensors_that_are_not_arrays() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(opslib.OpslibError):
        opslib.exp(torch.ones(3, 3).to_sparse())
    with pytest.raises(opslib.OpslibError):
        opslib.exp(torch.ones(3, device="meta"))
    with pytest.raises(opslib.DTypeError):
        opslib.exp(torch.ones(3, dtype=torch.complex64))
    with pytest.raises(opslib.ArgumentError):
        opslib.exp(torch.float32)


def test_jax() -> None:
    jax = pytest.importorskip("jax")
    x = jax.numpy.arange(6.0).reshape(2, 3)
    for _ in range(2):
        got = opslib.add(x, x)
        assert isinstance(got, jax.Array)
        np.testing.assert_array_equal(got, np.asarray(x) * 2)
        assert isinstance(opslib.add(x, x, backend="numpy"), jax.Array)
        np.testing.assert_array_equal(opslib.add(x, 1), np.asarray(x) + 1)
    with pytest.raises(
        opslib.ArgumentError, match="JAX array, which cannot be written"
    ):
        opslib.add(x, x, out=x)
    traced = jax.jit(lambda v: opslib.multiply(v, v))(x)
    np.testing.assert_array_equal(traced, np.asarray(x) ** 2)


@pytest.mark.parametrize("backend", ["numpy", "jax", None])
def test_a_description_of_a_jax_array_is_no_array(backend: str | None) -> None:
    jax = pytest.importorskip("jax")
    described = jax.ShapeDtypeStruct((3,), "float32")
    with pytest.raises(opslib.ArgumentError, match="got a ShapeDtypeStruct"):
        opslib.exp(described, backend=backend)


def test_arrays_of_two_libraries() -> None:
    torch = pytest.importorskip("torch")
    for _ in range(2):
        with pytest.raises(opslib.DeviceError, match="numpy and torch"):
            opslib.add(np.ones(2, F), torch.ones(2))


def test_a_list_among_arrays() -> None:
    with pytest.raises(opslib.ArgumentError, match=r"np\.asarray"):
        opslib.concat([1, 2], array(2))


@pytest.mark.parametrize("kind", [list, tuple])
def test_one_list_for_several_arrays(kind: type) -> None:
    """``concat([a, b])``, as NumPy, PyTorch and the array API have it."""
    x, y = np.ones((2, 3), np.float32), np.zeros((1, 3), np.float32)
    want = np.concatenate([x, y])
    out = np.empty_like(want)
    for _ in range(2):  # Planned, then prepared.
        np.testing.assert_array_equal(opslib.concat(kind([x, y]), axis=0), want)
    opslib.concat(kind([x, y]), axis=0, out=out)
    np.testing.assert_array_equal(out, want)
    found = opslib.concat(kind([x, y]), axis=0, backend="numpy")
    np.testing.assert_array_equal(found, want)
    assert opslib.stack(kind([x, x, x])).shape == (3, 2, 3)
    assert len(opslib.meshgrid(kind([x[0], y[0]]))) == 2
    assert opslib.concat.plan(kind([x, y]), axis=0)(x, y).shape == (3, 3)
    assert "runs" in str(opslib.explain("concat", kind([x, y]), axis=0))
    (bound,) = opslib.concat.bound(kind([x, y]), axis=0, backend="numpy")
    assert bound.shape == (3, 3)


@pytest.mark.parametrize("backend", ["numpy", None])
def test_a_tuple_is_no_array(backend: str | None) -> None:
    x, out = array(3), array(3)
    for call in (
        lambda: opslib.exp((x,), backend=backend),
        lambda: opslib.exp((x, x), backend=backend),
        lambda: opslib.exp((1.0, 2.0), backend=backend),
        lambda: opslib.add((x, x), x, backend=backend),
        lambda: opslib.add((x,), x, out=out, backend=backend),
        lambda: opslib.exp((), out=out, backend=backend),
        lambda: opslib.explain("exp", (x,), backend=backend),
        lambda: opslib.exp.plan((x,), backend=backend),
    ):
        with pytest.raises(opslib.ArgumentError, match="got a tuple"):
            call()


@pytest.mark.parametrize("backend", ["numpy", "cpu"])
def test_as_many_axes_as_numpy_has(backend: str) -> None:
    x = np.ones((2, 1, 3) + (1,) * 61, F)
    every_second = tuple(range(0, 64, 2))
    found = opslib.sum(x, axis=every_second, keepdims=True, backend=backend)
    np.testing.assert_array_equal(found, x.sum(every_second, keepdims=True))
    np.testing.assert_array_equal(opslib.flip(x, backend=backend), x)
    np.testing.assert_array_equal(opslib.add(x, x[:1], backend=backend), x + x)


def test_a_list_is_several_arrays_only_alone() -> None:
    x = np.ones((2, 3), np.float32)
    for wrong in ([[x]], [x], (x, [x])):
        with pytest.raises(opslib.ArgumentError, match=r"list|tuple"):
            opslib.concat(wrong, x)
    with pytest.raises(opslib.ArgumentError, match="list"):
        opslib.concat([[x]])
    with pytest.raises(opslib.ArgumentError, match="list"):
        opslib.exp([x])


def test_an_einsum_of_many_terms() -> None:
    """The name that the operator gets does not grow with the subscripts."""
    x = np.full(3, 2.0)
    text = ",".join(["i"] * 40) + "->i"
    found = opslib.einsum(text, *[x] * 40, backend="numpy")
    np.testing.assert_array_equal(found, x**40)
