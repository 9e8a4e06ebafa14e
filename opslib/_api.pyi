# The operators' types: callables that also tell their spec, plan, source and cost.
# Generated from specs/*.op by ``python -m opslib.dispatch.generate``; do not edit.

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from opslib.dispatch.inspection import Described as _Operator

Array = Any
DTypeLike = Any

class _abs(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

abs: _abs

class _acos(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

acos: _acos

class _acosh(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

acosh: _acosh

class _adaptive_avg_pool1d(_Operator):
    def __call__(
        self,
        input: Array,
        output_size: int | Sequence[int],
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

adaptive_avg_pool1d: _adaptive_avg_pool1d

class _adaptive_avg_pool2d(_Operator):
    def __call__(
        self,
        input: Array,
        output_size: int | Sequence[int],
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

adaptive_avg_pool2d: _adaptive_avg_pool2d

class _adaptive_max_pool1d(_Operator):
    def __call__(
        self,
        input: Array,
        output_size: int | Sequence[int],
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

adaptive_max_pool1d: _adaptive_max_pool1d

class _adaptive_max_pool2d(_Operator):
    def __call__(
        self,
        input: Array,
        output_size: int | Sequence[int],
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

adaptive_max_pool2d: _adaptive_max_pool2d

class _add(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

add: _add

class _addcdiv(_Operator):
    def __call__(
        self,
        input: Array,
        tensor1: Array,
        tensor2: Array,
        *,
        value: float = 1.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

addcdiv: _addcdiv

class _addcmul(_Operator):
    def __call__(
        self,
        input: Array,
        tensor1: Array,
        tensor2: Array,
        *,
        value: float = 1.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

addcmul: _addcmul

class _addmm(_Operator):
    def __call__(
        self,
        input: Array,
        mat1: Array,
        mat2: Array,
        *,
        beta: float = 1.0,
        alpha: float = 1.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

addmm: _addmm

class _alibi_bias(_Operator):
    def __call__(
        self,
        slopes: Array,
        *,
        queries: int,
        keys: int,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

alibi_bias: _alibi_bias

class _all(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

all: _all

class _any(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

any: _any

class _apply_rotary(_Operator):
    def __call__(
        self,
        x: Array,
        cos: Array,
        sin: Array,
        *,
        interleaved: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

apply_rotary: _apply_rotary

class _arange(_Operator):
    def __call__(
        self,
        start: float,
        /,
        stop: float | None = None,
        step: float = 1,
        *,
        dtype: DTypeLike | None = None,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

arange: _arange

class _argmax(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

argmax: _argmax

class _argmin(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

argmin: _argmin

class _argsort(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        descending: bool = False,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

argsort: _argsort

class _asin(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

asin: _asin

class _asinh(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

asinh: _asinh

class _astype(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        dtype: DTypeLike,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

astype: _astype

class _atan(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

atan: _atan

class _atan2(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

atan2: _atan2

class _atanh(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

atanh: _atanh

class AttentionResult(NamedTuple):
    """Results of `attention`."""

    o: Array
    lse: Array | None = None

class _attention(_Operator):
    def __call__(
        self,
        q: Array,
        k: Array,
        v: Array,
        mask: Array | None = None,
        bias: Array | None = None,
        sink: Array | None = None,
        *,
        scale: float | None = None,
        causal: bool = False,
        softcap: float = 0.0,
        window: int | Sequence[int] = -1,
        return_lse: bool = False,
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> AttentionResult: ...

attention: _attention

class _avg_pool1d(_Operator):
    def __call__(
        self,
        input: Array,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

avg_pool1d: _avg_pool1d

class _avg_pool2d(_Operator):
    def __call__(
        self,
        input: Array,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

avg_pool2d: _avg_pool2d

class _baddbmm(_Operator):
    def __call__(
        self,
        input: Array,
        batch1: Array,
        batch2: Array,
        *,
        beta: float = 1.0,
        alpha: float = 1.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

baddbmm: _baddbmm

class _batch_norm(_Operator):
    def __call__(
        self,
        input: Array,
        running_mean: Array,
        running_var: Array,
        weight: Array | None = None,
        bias: Array | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-05,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

batch_norm: _batch_norm

class _bernoulli(_Operator):
    def __call__(
        self,
        p: Array,
        *,
        seed: int,
        offset: int = 0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

bernoulli: _bernoulli

class _bilinear(_Operator):
    def __call__(
        self,
        input1: Array,
        input2: Array,
        weight: Array,
        bias: Array | None = None,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

bilinear: _bilinear

class _binary_cross_entropy(_Operator):
    def __call__(
        self,
        input: Array,
        target: Array,
        weight: Array | None = None,
        *,
        reduction: Literal["none", "mean", "sum"] = "mean",
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

binary_cross_entropy: _binary_cross_entropy

class _binary_cross_entropy_with_logits(_Operator):
    def __call__(
        self,
        input: Array,
        target: Array,
        weight: Array | None = None,
        pos_weight: Array | None = None,
        *,
        reduction: Literal["none", "mean", "sum"] = "mean",
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

binary_cross_entropy_with_logits: _binary_cross_entropy_with_logits

class _bincount(_Operator):
    def __call__(
        self,
        input: Array,
        *,
        length: int,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

bincount: _bincount

class _bitwise_and(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

bitwise_and: _bitwise_and

class _bitwise_invert(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

bitwise_invert: _bitwise_invert

class _bitwise_left_shift(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

bitwise_left_shift: _bitwise_left_shift

class _bitwise_or(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

bitwise_or: _bitwise_or

class _bitwise_right_shift(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

bitwise_right_shift: _bitwise_right_shift

class _bitwise_xor(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

bitwise_xor: _bitwise_xor

class _bmm(_Operator):
    def __call__(
        self,
        input: Array,
        mat2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

bmm: _bmm

class _broadcast_to(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        shape: int | Sequence[int],
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

broadcast_to: _broadcast_to

class _bucketize(_Operator):
    def __call__(
        self,
        input: Array,
        boundaries: Array,
        *,
        right: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

bucketize: _bucketize

class CannRmsNormResult(NamedTuple):
    """Results of `cann_rms_norm`."""

    y: Array
    rstd: Array

class _cann_rms_norm(_Operator):
    def __call__(
        self,
        x: Array,
        gamma: Array,
        *,
        epsilon: float = 1e-06,
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> CannRmsNormResult: ...

cann_rms_norm: _cann_rms_norm

class _causal_conv1d(_Operator):
    def __call__(
        self,
        x: Array,
        weight: Array,
        bias: Array | None = None,
        *,
        activation: Literal["none", "silu"] = "none",
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

causal_conv1d: _causal_conv1d

class _causal_softmax(_Operator):
    def __call__(
        self, x: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

causal_softmax: _causal_softmax

class _cdist(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

cdist: _cdist

class _ceil(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

ceil: _ceil

class _celu(_Operator):
    def __call__(
        self,
        input: Array,
        alpha: float = 1.0,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

celu: _celu

class _clip(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        min: Array | None = None,
        max: Array | None = None,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

clip: _clip

class _concat(_Operator):
    def __call__(
        self,
        *xs: Array,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

concat: _concat

class _conj(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

conj: _conj

class _conv1d(_Operator):
    def __call__(
        self,
        input: Array,
        weight: Array,
        bias: Array | None = None,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

conv1d: _conv1d

class _conv2d(_Operator):
    def __call__(
        self,
        input: Array,
        weight: Array,
        bias: Array | None = None,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

conv2d: _conv2d

class _conv3d(_Operator):
    def __call__(
        self,
        input: Array,
        weight: Array,
        bias: Array | None = None,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

conv3d: _conv3d

class _conv_transpose1d(_Operator):
    def __call__(
        self,
        input: Array,
        weight: Array,
        bias: Array | None = None,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        dilation: int | Sequence[int] = 1,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

conv_transpose1d: _conv_transpose1d

class _conv_transpose2d(_Operator):
    def __call__(
        self,
        input: Array,
        weight: Array,
        bias: Array | None = None,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        dilation: int | Sequence[int] = 1,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

conv_transpose2d: _conv_transpose2d

class _copysign(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

copysign: _copysign

class _cos(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

cos: _cos

class _cosh(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

cosh: _cosh

class _cosine_similarity(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        *,
        eps: float = 1e-08,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

cosine_similarity: _cosine_similarity

class _count_nonzero(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

count_nonzero: _count_nonzero

class _cross(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

cross: _cross

class _cross_entropy(_Operator):
    def __call__(
        self,
        input: Array,
        target: Array,
        weight: Array | None = None,
        *,
        ignore_index: int = -100,
        reduction: Literal["none", "mean", "sum"] = "mean",
        label_smoothing: float = 0.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

cross_entropy: _cross_entropy

class _cummax(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

cummax: _cummax

class _cummin(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

cummin: _cummin

class _cumprod(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

cumprod: _cumprod

class _cumsum(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

cumsum: _cumsum

class _diag(_Operator):
    def __call__(
        self,
        v: Array,
        k: int = 0,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

diag: _diag

class _diag_embed(_Operator):
    def __call__(
        self,
        input: Array,
        offset: int = 0,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

diag_embed: _diag_embed

class _diagonal(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        offset: int = 0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

diagonal: _diagonal

class _diff(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

diff: _diff

class _discounted_return(_Operator):
    def __call__(
        self,
        rewards: Array,
        *,
        gamma: float = 0.99,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

discounted_return: _discounted_return

class _divide(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

divide: _divide

class _dropout(_Operator):
    def __call__(
        self,
        x: Array,
        *,
        p: float = 0.5,
        seed: int,
        offset: int = 0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

dropout: _dropout

class _elu(_Operator):
    def __call__(
        self,
        input: Array,
        alpha: float = 1.0,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

elu: _elu

class _embedding(_Operator):
    def __call__(
        self,
        input: Array,
        weight: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

embedding: _embedding

class _embedding_bag(_Operator):
    def __call__(
        self,
        input: Array,
        weight: Array,
        offsets: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

embedding_bag: _embedding_bag

class _entropy_from_logits(_Operator):
    def __call__(
        self, logits: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

entropy_from_logits: _entropy_from_logits

class _equal(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

equal: _equal

class _erf(_Operator):
    def __call__(
        self, input: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

erf: _erf

class _erfc(_Operator):
    def __call__(
        self, input: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

erfc: _erfc

class _exp(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

exp: _exp

class _exp2(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

exp2: _exp2

class _expand_dims(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int = 0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

expand_dims: _expand_dims

class _expm1(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

expm1: _expm1

class _exponential(_Operator):
    def __call__(
        self,
        *,
        shape: int | Sequence[int],
        seed: int,
        offset: int = 0,
        rate: float = 1.0,
        dtype: DTypeLike | None = None,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

exponential: _exponential

class _eye(_Operator):
    def __call__(
        self,
        n_rows: int,
        n_cols: int | None = None,
        /,
        *,
        k: int = 0,
        dtype: DTypeLike | None = None,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

eye: _eye

class _fatrelu_and_mul(_Operator):
    def __call__(
        self,
        x: Array,
        *,
        threshold: float = 0.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

fatrelu_and_mul: _fatrelu_and_mul

class _flip(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

flip: _flip

class _floor(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

floor: _floor

class _floor_divide(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

floor_divide: _floor_divide

class _fmax(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

fmax: _fmax

class _fmin(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

fmin: _fmin

class _fmod(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

fmod: _fmod

class _frac(_Operator):
    def __call__(
        self, input: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

frac: _frac

class _full(_Operator):
    def __call__(
        self,
        shape: int | Sequence[int],
        fill_value: float,
        *,
        dtype: DTypeLike | None = None,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

full: _full

class _full_like(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        fill_value: float,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

full_like: _full_like

class FusedAddRmsNormResult(NamedTuple):
    """Results of `fused_add_rms_norm`."""

    y: Array
    residual_sum: Array

class _fused_add_rms_norm(_Operator):
    def __call__(
        self,
        input: Array,
        residual: Array,
        weight: Array,
        epsilon: float = 1e-06,
        *,
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> FusedAddRmsNormResult: ...

fused_add_rms_norm: _fused_add_rms_norm

class _fused_linear_cross_entropy(_Operator):
    def __call__(
        self,
        x: Array,
        weight: Array,
        target: Array,
        bias: Array | None = None,
        *,
        ignore_index: int = -100,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

fused_linear_cross_entropy: _fused_linear_cross_entropy

class GaeResult(NamedTuple):
    """Results of `gae`."""

    advantages: Array
    returns: Array

class _gae(_Operator):
    def __call__(
        self,
        rewards: Array,
        values: Array,
        *,
        gamma: float = 1.0,
        lam: float = 0.95,
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> GaeResult: ...

gae: _gae

class _gate_up(_Operator):
    def __call__(
        self,
        input: Array,
        gate: Array,
        up: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

gate_up: _gate_up

class _gather(_Operator):
    def __call__(
        self,
        input: Array,
        dim: int,
        index: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

gather: _gather

class _geglu(_Operator):
    def __call__(
        self, x: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

geglu: _geglu

class _gelu(_Operator):
    def __call__(
        self,
        input: Array,
        /,
        *,
        approximate: Literal["none", "tanh"] = "none",
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

gelu: _gelu

class _gelu_and_mul(_Operator):
    def __call__(
        self, x: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

gelu_and_mul: _gelu_and_mul

class _gelu_tanh_and_mul(_Operator):
    def __call__(
        self, x: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

gelu_tanh_and_mul: _gelu_tanh_and_mul

class _gemma_rms_norm(_Operator):
    def __call__(
        self,
        x: Array,
        weight: Array,
        *,
        eps: float = 1e-06,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

gemma_rms_norm: _gemma_rms_norm

class _glu(_Operator):
    def __call__(
        self, x: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

glu: _glu

class _greater(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

greater: _greater

class _greater_equal(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

greater_equal: _greater_equal

class _group_norm(_Operator):
    def __call__(
        self,
        input: Array,
        num_groups: int,
        weight: Array | None = None,
        bias: Array | None = None,
        eps: float = 1e-05,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

group_norm: _group_norm

class _grouped_mm(_Operator):
    def __call__(
        self,
        x: Array,
        w: Array,
        offsets: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

grouped_mm: _grouped_mm

class _hardshrink(_Operator):
    def __call__(
        self,
        input: Array,
        /,
        lambd: float = 0.5,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

hardshrink: _hardshrink

class _hardsigmoid(_Operator):
    def __call__(
        self, input: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

hardsigmoid: _hardsigmoid

class _hardswish(_Operator):
    def __call__(
        self, input: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

hardswish: _hardswish

class _hardtanh(_Operator):
    def __call__(
        self,
        input: Array,
        min_val: float = -1.0,
        max_val: float = 1.0,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

hardtanh: _hardtanh

class _heaviside(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

heaviside: _heaviside

class _huber_loss(_Operator):
    def __call__(
        self,
        input: Array,
        target: Array,
        *,
        reduction: Literal["none", "mean", "sum"] = "mean",
        delta: float = 1.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

huber_loss: _huber_loss

class _hypot(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

hypot: _hypot

class _index_add(_Operator):
    def __call__(
        self,
        input: Array,
        dim: int,
        index: Array,
        source: Array,
        *,
        alpha: float = 1.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

index_add: _index_add

class _index_put(_Operator):
    def __call__(
        self,
        input: Array,
        indices: Array,
        values: Array,
        accumulate: bool = False,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

index_put: _index_put

class _index_select(_Operator):
    def __call__(
        self,
        input: Array,
        dim: int,
        index: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

index_select: _index_select

class _instance_norm(_Operator):
    def __call__(
        self,
        input: Array,
        weight: Array | None = None,
        bias: Array | None = None,
        *,
        eps: float = 1e-05,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

instance_norm: _instance_norm

class _interpolate_bilinear(_Operator):
    def __call__(
        self,
        input: Array,
        size: int | Sequence[int],
        align_corners: bool = False,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

interpolate_bilinear: _interpolate_bilinear

class _interpolate_linear(_Operator):
    def __call__(
        self,
        input: Array,
        size: int | Sequence[int],
        align_corners: bool = False,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

interpolate_linear: _interpolate_linear

class _interpolate_nearest(_Operator):
    def __call__(
        self,
        input: Array,
        size: int | Sequence[int],
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

interpolate_nearest: _interpolate_nearest

class _isfinite(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

isfinite: _isfinite

class _isin(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

isin: _isin

class _isinf(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

isinf: _isinf

class _isnan(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

isnan: _isnan

class _jsd(_Operator):
    def __call__(
        self,
        log_p: Array,
        log_q: Array,
        *,
        beta: float = 0.5,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

jsd: _jsd

class _kl_div(_Operator):
    def __call__(
        self,
        input: Array,
        target: Array,
        *,
        reduction: Literal["none", "mean", "sum", "batchmean"] = "mean",
        log_target: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

kl_div: _kl_div

class _kron(_Operator):
    def __call__(
        self,
        a: Array,
        b: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

kron: _kron

class KthvalueResult(NamedTuple):
    """Results of `kthvalue`."""

    values: Array
    indices: Array

class _kthvalue(_Operator):
    def __call__(
        self,
        input: Array,
        k: int,
        *,
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> KthvalueResult: ...

kthvalue: _kthvalue

class _l1_loss(_Operator):
    def __call__(
        self,
        input: Array,
        target: Array,
        *,
        reduction: Literal["none", "mean", "sum"] = "mean",
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

l1_loss: _l1_loss

class _l2_normalize(_Operator):
    def __call__(
        self,
        x: Array,
        *,
        eps: float = 1e-12,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

l2_normalize: _l2_normalize

class _layer_norm(_Operator):
    def __call__(
        self,
        x: Array,
        weight: Array | None = None,
        bias: Array | None = None,
        *,
        eps: float = 1e-05,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

layer_norm: _layer_norm

class _leaky_relu(_Operator):
    def __call__(
        self,
        input: Array,
        negative_slope: float = 0.01,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

leaky_relu: _leaky_relu

class _lerp(_Operator):
    def __call__(
        self,
        input: Array,
        end: Array,
        weight: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

lerp: _lerp

class _less(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

less: _less

class _less_equal(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

less_equal: _less_equal

class _linear(_Operator):
    def __call__(
        self,
        input: Array,
        weight: Array,
        bias: Array | None = None,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

linear: _linear

class _linear_activation(_Operator):
    def __call__(
        self,
        input: Array,
        weight: Array,
        bias: Array | None = None,
        *,
        activation: Literal["none", "relu", "gelu", "gelu_tanh", "silu"] = "none",
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

linear_activation: _linear_activation

class _linear_recurrence(_Operator):
    def __call__(
        self,
        a: Array,
        x: Array,
        *,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

linear_recurrence: _linear_recurrence

class _linspace(_Operator):
    def __call__(
        self,
        start: float,
        stop: float,
        /,
        num: int,
        *,
        dtype: DTypeLike | None = None,
        endpoint: bool = True,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

linspace: _linspace

class _llama_rms_norm(_Operator):
    def __call__(
        self,
        x: Array,
        weight: Array,
        *,
        eps: float = 1e-06,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

llama_rms_norm: _llama_rms_norm

class _local_response_norm(_Operator):
    def __call__(
        self,
        input: Array,
        size: int,
        alpha: float = 0.0001,
        beta: float = 0.75,
        k: float = 1.0,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

local_response_norm: _local_response_norm

class _log(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

log: _log

class _log10(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

log10: _log10

class _log1p(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

log1p: _log1p

class _log2(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

log2: _log2

class _log_sigmoid(_Operator):
    def __call__(
        self, input: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

log_sigmoid: _log_sigmoid

class _log_softmax(_Operator):
    def __call__(
        self,
        x: Array,
        *,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

log_softmax: _log_softmax

class _logaddexp(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

logaddexp: _logaddexp

class _logcumsumexp(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

logcumsumexp: _logcumsumexp

class _logical_and(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

logical_and: _logical_and

class _logical_not(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

logical_not: _logical_not

class _logical_or(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

logical_or: _logical_or

class _logical_xor(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

logical_xor: _logical_xor

class _logit(_Operator):
    def __call__(
        self, input: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

logit: _logit

class _logprobs_from_logits(_Operator):
    def __call__(
        self,
        logits: Array,
        labels: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

logprobs_from_logits: _logprobs_from_logits

class _logsumexp(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

logsumexp: _logsumexp

class _lora_expand(_Operator):
    def __call__(
        self,
        y: Array,
        x: Array,
        lora_b: Array,
        indices: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

lora_expand: _lora_expand

class _lora_shrink(_Operator):
    def __call__(
        self,
        x: Array,
        lora_a: Array,
        indices: Array,
        *,
        scale: float = 1.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

lora_shrink: _lora_shrink

class _margin_ranking_loss(_Operator):
    def __call__(
        self,
        input1: Array,
        input2: Array,
        target: Array,
        *,
        margin: float = 0.0,
        reduction: Literal["none", "mean", "sum"] = "mean",
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

margin_ranking_loss: _margin_ranking_loss

class _masked_fill(_Operator):
    def __call__(
        self,
        input: Array,
        mask: Array,
        value: float,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

masked_fill: _masked_fill

class _masked_mean(_Operator):
    def __call__(
        self,
        values: Array,
        mask: Array,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

masked_mean: _masked_mean

class _masked_softmax(_Operator):
    def __call__(
        self,
        x: Array,
        mask: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

masked_softmax: _masked_softmax

class _masked_sum(_Operator):
    def __call__(
        self,
        values: Array,
        mask: Array,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

masked_sum: _masked_sum

class _masked_var(_Operator):
    def __call__(
        self,
        values: Array,
        mask: Array,
        *,
        axis: int | Sequence[int] | None = None,
        correction: float = 1.0,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

masked_var: _masked_var

class _matmul(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

matmul: _matmul

class _matrix_transpose(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

matrix_transpose: _matrix_transpose

class _matvec(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

matvec: _matvec

class _max(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

max: _max

class _max_pool1d(_Operator):
    def __call__(
        self,
        input: Array,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

max_pool1d: _max_pool1d

class _max_pool2d(_Operator):
    def __call__(
        self,
        input: Array,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

max_pool2d: _max_pool2d

class _maximum(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

maximum: _maximum

class _mean(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

mean: _mean

class _median(_Operator):
    def __call__(
        self, x: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

median: _median

class MergeAttnStatesResult(NamedTuple):
    """Results of `merge_attn_states`."""

    output: Array
    output_lse: Array | None = None

class _merge_attn_states(_Operator):
    def __call__(
        self,
        prefix_output: Array,
        prefix_lse: Array,
        suffix_output: Array,
        suffix_lse: Array,
        *,
        return_output_lse: bool = False,
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> MergeAttnStatesResult: ...

merge_attn_states: _merge_attn_states

class _meshgrid(_Operator):
    def __call__(
        self,
        *xs: Array,
        indexing: Literal["xy", "ij"] = "xy",
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> tuple[Array, ...]: ...

meshgrid: _meshgrid

class _min(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

min: _min

class _minimum(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

minimum: _minimum

class _mish(_Operator):
    def __call__(
        self, input: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

mish: _mish

class _mla_decode(_Operator):
    def __call__(
        self,
        query: Array,
        cache: Array,
        block_tables: Array,
        seq_lens: Array,
        *,
        value_size: int,
        scale: float | None = None,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

mla_decode: _mla_decode

class _mm(_Operator):
    def __call__(
        self,
        input: Array,
        mat2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

mm: _mm

class _mse_loss(_Operator):
    def __call__(
        self,
        input: Array,
        target: Array,
        *,
        reduction: Literal["none", "mean", "sum"] = "mean",
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

mse_loss: _mse_loss

class _mul_and_silu(_Operator):
    def __call__(
        self, x: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

mul_and_silu: _mul_and_silu

class _multiply(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

multiply: _multiply

class _nan_to_num(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        value: float = 0.0,
        posinf: float | None = None,
        neginf: float | None = None,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

nan_to_num: _nan_to_num

class _narrow(_Operator):
    def __call__(
        self,
        input: Array,
        dim: int,
        start: int,
        length: int,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

narrow: _narrow

class _negative(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

negative: _negative

class _nextafter(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

nextafter: _nextafter

class _nll_loss(_Operator):
    def __call__(
        self,
        input: Array,
        target: Array,
        weight: Array | None = None,
        *,
        ignore_index: int = -100,
        reduction: Literal["none", "mean", "sum"] = "mean",
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

nll_loss: _nll_loss

class _normal(_Operator):
    def __call__(
        self,
        *,
        shape: int | Sequence[int],
        seed: int,
        offset: int = 0,
        mean: float = 0.0,
        std: float = 1.0,
        dtype: DTypeLike | None = None,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

normal: _normal

class _not_equal(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

not_equal: _not_equal

class _one_hot(_Operator):
    def __call__(
        self,
        input: Array,
        num_classes: int,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

one_hot: _one_hot

class _ones(_Operator):
    def __call__(
        self,
        shape: int | Sequence[int],
        *,
        dtype: DTypeLike | None = None,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

ones: _ones

class _ones_like(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

ones_like: _ones_like

class _outer(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

outer: _outer

class _pack_padded(_Operator):
    def __call__(
        self,
        x: Array,
        cu_seqlens: Array,
        *,
        total: int,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

pack_padded: _pack_padded

class _pad(_Operator):
    def __call__(
        self,
        x: Array,
        before: int | Sequence[int],
        after: int | Sequence[int],
        *,
        mode: Literal["constant", "reflect", "replicate", "circular"] = "constant",
        value: float = 0.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

pad: _pad

class _pad_packed(_Operator):
    def __call__(
        self,
        x: Array,
        cu_seqlens: Array,
        *,
        max_length: int,
        value: float = 0.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

pad_packed: _pad_packed

class _paged_attention(_Operator):
    def __call__(
        self,
        query: Array,
        key_cache: Array,
        value_cache: Array,
        block_tables: Array,
        seq_lens: Array,
        *,
        scale: float | None = None,
        softcap: float = 0.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

paged_attention: _paged_attention

class _paged_prefill_attention(_Operator):
    def __call__(
        self,
        query: Array,
        key_cache: Array,
        value_cache: Array,
        block_tables: Array,
        seq_lens: Array,
        cu_seqlens_q: Array,
        *,
        scale: float | None = None,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

paged_prefill_attention: _paged_prefill_attention

class _permute_dims(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        axes: int | Sequence[int],
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

permute_dims: _permute_dims

class _pixel_shuffle(_Operator):
    def __call__(
        self,
        input: Array,
        upscale_factor: int,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

pixel_shuffle: _pixel_shuffle

class _pixel_unshuffle(_Operator):
    def __call__(
        self,
        input: Array,
        downscale_factor: int,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

pixel_unshuffle: _pixel_unshuffle

class _positive(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

positive: _positive

class _pow(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

pow: _pow

class _prelu(_Operator):
    def __call__(
        self,
        input: Array,
        weight: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

prelu: _prelu

class _prod(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

prod: _prod

class QkNormResult(NamedTuple):
    """Results of `qk_norm`."""

    q_out: Array
    k_out: Array

class _qk_norm(_Operator):
    def __call__(
        self,
        q: Array,
        k: Array,
        q_weight: Array,
        k_weight: Array,
        *,
        eps: float = 1e-06,
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> QkNormResult: ...

qk_norm: _qk_norm

class _quick_gelu(_Operator):
    def __call__(
        self, x: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

quick_gelu: _quick_gelu

class _ragged_max(_Operator):
    def __call__(
        self,
        x: Array,
        cu_seqlens: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

ragged_max: _ragged_max

class _ragged_mean(_Operator):
    def __call__(
        self,
        x: Array,
        cu_seqlens: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

ragged_mean: _ragged_mean

class _ragged_sum(_Operator):
    def __call__(
        self,
        x: Array,
        cu_seqlens: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

ragged_sum: _ragged_sum

class _randint(_Operator):
    def __call__(
        self,
        low: int,
        high: int,
        *,
        shape: int | Sequence[int],
        seed: int,
        offset: int = 0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

randint: _randint

class _random_bits(_Operator):
    def __call__(
        self,
        *,
        shape: int | Sequence[int],
        seed: int,
        offset: int = 0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

random_bits: _random_bits

class _randperm(_Operator):
    def __call__(
        self,
        n: int,
        *,
        seed: int,
        offset: int = 0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

randperm: _randperm

class _reciprocal(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

reciprocal: _reciprocal

class _reglu(_Operator):
    def __call__(
        self, x: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

reglu: _reglu

class _relu(_Operator):
    def __call__(
        self, input: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

relu: _relu

class _relu6(_Operator):
    def __call__(
        self, input: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

relu6: _relu6

class _relu_and_mul(_Operator):
    def __call__(
        self, x: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

relu_and_mul: _relu_and_mul

class _remainder(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

remainder: _remainder

class _repeat(_Operator):
    def __call__(
        self,
        x: Array,
        repeats: int,
        /,
        *,
        axis: int,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

repeat: _repeat

class _reshape(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        shape: int | Sequence[int],
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

reshape: _reshape

class ReshapeAndCacheResult(NamedTuple):
    """Results of `reshape_and_cache`."""

    new_key_cache: Array
    new_value_cache: Array

class _reshape_and_cache(_Operator):
    def __call__(
        self,
        key: Array,
        value: Array,
        key_cache: Array,
        value_cache: Array,
        slot_mapping: Array,
        *,
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> ReshapeAndCacheResult: ...

reshape_and_cache: _reshape_and_cache

class _rms_norm(_Operator):
    def __call__(
        self,
        x: Array,
        weight: Array,
        *,
        eps: float = 1e-06,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

rms_norm: _rms_norm

class _roll(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        shift: int,
        *,
        axis: int,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

roll: _roll

class _rotary_cos_sin(_Operator):
    def __call__(
        self,
        positions: Array,
        *,
        pairs: int,
        base: float = 10000.0,
        factor: float = 1.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

rotary_cos_sin: _rotary_cos_sin

class RotaryEmbeddingResult(NamedTuple):
    """Results of `rotary_embedding`."""

    query_out: Array
    key_out: Array

class _rotary_embedding(_Operator):
    def __call__(
        self,
        positions: Array,
        query: Array,
        key: Array,
        cos_sin_cache: Array,
        *,
        is_neox: bool = True,
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> RotaryEmbeddingResult: ...

rotary_embedding: _rotary_embedding

class _round(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

round: _round

class _rsqrt(_Operator):
    def __call__(
        self, input: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

rsqrt: _rsqrt

class _scaled_dot_product_attention(_Operator):
    def __call__(
        self,
        query: Array,
        key: Array,
        value: Array,
        attn_mask: Array | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        *,
        scale: float | None = None,
        enable_gqa: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

scaled_dot_product_attention: _scaled_dot_product_attention

class _scatter(_Operator):
    def __call__(
        self,
        input: Array,
        dim: int,
        index: Array,
        src: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

scatter: _scatter

class _scatter_add(_Operator):
    def __call__(
        self,
        input: Array,
        dim: int,
        index: Array,
        src: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

scatter_add: _scatter_add

class _scatter_reduce(_Operator):
    def __call__(
        self,
        input: Array,
        dim: int,
        index: Array,
        src: Array,
        reduce: Literal["sum", "prod", "amax", "amin"],
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

scatter_reduce: _scatter_reduce

class _searchsorted(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        side: Literal["left", "right"] = "left",
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

searchsorted: _searchsorted

class _segment_sum(_Operator):
    def __call__(
        self,
        data: Array,
        segment_ids: Array,
        *,
        num_segments: int,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

segment_sum: _segment_sum

class _selective_scan(_Operator):
    def __call__(
        self,
        u: Array,
        delta: Array,
        a: Array,
        b: Array,
        c: Array,
        skip: Array | None = None,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

selective_scan: _selective_scan

class _selu(_Operator):
    def __call__(
        self, input: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

selu: _selu

class _sigmoid(_Operator):
    def __call__(
        self, input: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

sigmoid: _sigmoid

class _sign(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

sign: _sign

class _signbit(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

signbit: _signbit

class _silu(_Operator):
    def __call__(
        self, input: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

silu: _silu

class _silu_and_mul(_Operator):
    def __call__(
        self, x: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

silu_and_mul: _silu_and_mul

class _sin(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

sin: _sin

class _sinh(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

sinh: _sinh

class _slice(_Operator):
    def __call__(
        self,
        x: Array,
        start: int | Sequence[int],
        stop: int | Sequence[int],
        step: int | Sequence[int] = 1,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

slice: _slice

class _sliding_window(_Operator):
    def __call__(
        self,
        x: Array,
        size: int,
        step: int = 1,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

sliding_window: _sliding_window

class _smooth_l1_loss(_Operator):
    def __call__(
        self,
        input: Array,
        target: Array,
        *,
        reduction: Literal["none", "mean", "sum"] = "mean",
        beta: float = 1.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

smooth_l1_loss: _smooth_l1_loss

class _softmax(_Operator):
    def __call__(
        self,
        x: Array,
        *,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

softmax: _softmax

class _softmax_with_sink(_Operator):
    def __call__(
        self,
        x: Array,
        sink: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

softmax_with_sink: _softmax_with_sink

class _softmin(_Operator):
    def __call__(
        self,
        x: Array,
        *,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

softmin: _softmin

class _softplus(_Operator):
    def __call__(
        self,
        input: Array,
        /,
        beta: float = 1.0,
        threshold: float = 20.0,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

softplus: _softplus

class _softshrink(_Operator):
    def __call__(
        self,
        input: Array,
        /,
        lambd: float = 0.5,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

softshrink: _softshrink

class _softsign(_Operator):
    def __call__(
        self, input: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

softsign: _softsign

class _sort(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        descending: bool = False,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

sort: _sort

class _split(_Operator):
    def __call__(
        self,
        tensor: Array,
        split_size_or_sections: int | Sequence[int],
        dim: int = 0,
        *,
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> tuple[Array, ...]: ...

split: _split

class _sqrt(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

sqrt: _sqrt

class _square(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

square: _square

class _squeeze(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        axis: int | Sequence[int] | None,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

squeeze: _squeeze

class _stack(_Operator):
    def __call__(
        self,
        *xs: Array,
        axis: int = 0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

stack: _stack

class _std(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        correction: float = 0.0,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

std: _std

class _subtract(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

subtract: _subtract

class _sum(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

sum: _sum

class _swigluoai_and_mul(_Operator):
    def __call__(
        self,
        x: Array,
        *,
        alpha: float = 1.702,
        limit: float = 7.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

swigluoai_and_mul: _swigluoai_and_mul

class _take(_Operator):
    def __call__(
        self,
        x: Array,
        indices: Array,
        /,
        *,
        axis: int,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

take: _take

class _take_along_axis(_Operator):
    def __call__(
        self,
        x: Array,
        indices: Array,
        /,
        *,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

take_along_axis: _take_along_axis

class _tan(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

tan: _tan

class _tanh(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

tanh: _tanh

class _tanhshrink(_Operator):
    def __call__(
        self, input: Array, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

tanhshrink: _tanhshrink

class _threshold(_Operator):
    def __call__(
        self,
        input: Array,
        threshold: float,
        value: float,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

threshold: _threshold

class _tile(_Operator):
    def __call__(
        self,
        x: Array,
        repetitions: int | Sequence[int],
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

tile: _tile

class TopkResult(NamedTuple):
    """Results of `topk`."""

    values: Array
    indices: Array

class _topk(_Operator):
    def __call__(
        self,
        x: Array,
        k: int,
        *,
        axis: int = -1,
        largest: bool = True,
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> TopkResult: ...

topk: _topk

class _trace(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        offset: int = 0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

trace: _trace

class _transpose(_Operator):
    def __call__(
        self,
        a: Array,
        axes: int | Sequence[int] | None = None,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

transpose: _transpose

class _tril(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        k: int = 0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

tril: _tril

class _triu(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        k: int = 0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

triu: _triu

class _trunc(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

trunc: _trunc

class _unfold(_Operator):
    def __call__(
        self,
        input: Array,
        kernel_size: int | Sequence[int],
        dilation: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        stride: int | Sequence[int] = 1,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

unfold: _unfold

class _uniform(_Operator):
    def __call__(
        self,
        *,
        shape: int | Sequence[int],
        seed: int,
        offset: int = 0,
        low: float = 0.0,
        high: float = 1.0,
        dtype: DTypeLike | None = None,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

uniform: _uniform

class _unstack(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int = 0,
        out: tuple[Array, ...] | None = None,
        backend: str | None = None,
    ) -> tuple[Array, ...]: ...

unstack: _unstack

class _vander(_Operator):
    def __call__(
        self,
        x: Array,
        N: int | None = None,
        increasing: bool = False,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

vander: _vander

class _var(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        correction: float = 0.0,
        keepdims: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

var: _var

class _varlen_attention(_Operator):
    def __call__(
        self,
        q: Array,
        k: Array,
        v: Array,
        cu_seqlens_q: Array,
        cu_seqlens_k: Array,
        *,
        scale: float | None = None,
        causal: bool = False,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

varlen_attention: _varlen_attention

class _vecdot(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        axis: int = -1,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

vecdot: _vecdot

class _vecmat(_Operator):
    def __call__(
        self,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

vecmat: _vecmat

class _vector_norm(_Operator):
    def __call__(
        self,
        x: Array,
        /,
        *,
        axis: int | Sequence[int] | None = None,
        keepdims: bool = False,
        ord: float = 2.0,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

vector_norm: _vector_norm

class _where(_Operator):
    def __call__(
        self,
        condition: Array,
        x1: Array,
        x2: Array,
        /,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

where: _where

class _xlogy(_Operator):
    def __call__(
        self,
        input: Array,
        other: Array,
        *,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

xlogy: _xlogy

class _zeros(_Operator):
    def __call__(
        self,
        shape: int | Sequence[int],
        *,
        dtype: DTypeLike | None = None,
        out: Array | None = None,
        backend: str | None = None,
    ) -> Array: ...

zeros: _zeros

class _zeros_like(_Operator):
    def __call__(
        self, x: Array, /, *, out: Array | None = None, backend: str | None = None
    ) -> Array: ...

zeros_like: _zeros_like

__all__ = [
    "abs",
    "acos",
    "acosh",
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "add",
    "addcdiv",
    "addcmul",
    "addmm",
    "alibi_bias",
    "all",
    "any",
    "apply_rotary",
    "arange",
    "argmax",
    "argmin",
    "argsort",
    "asin",
    "asinh",
    "astype",
    "atan",
    "atan2",
    "atanh",
    "attention",
    "avg_pool1d",
    "avg_pool2d",
    "baddbmm",
    "batch_norm",
    "bernoulli",
    "bilinear",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "bincount",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "bmm",
    "broadcast_to",
    "bucketize",
    "cann_rms_norm",
    "causal_conv1d",
    "causal_softmax",
    "cdist",
    "ceil",
    "celu",
    "clip",
    "concat",
    "conj",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "copysign",
    "cos",
    "cosh",
    "cosine_similarity",
    "count_nonzero",
    "cross",
    "cross_entropy",
    "cummax",
    "cummin",
    "cumprod",
    "cumsum",
    "diag",
    "diag_embed",
    "diagonal",
    "diff",
    "discounted_return",
    "divide",
    "dropout",
    "elu",
    "embedding",
    "embedding_bag",
    "entropy_from_logits",
    "equal",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "exponential",
    "eye",
    "fatrelu_and_mul",
    "flip",
    "floor",
    "floor_divide",
    "fmax",
    "fmin",
    "fmod",
    "frac",
    "full",
    "full_like",
    "fused_add_rms_norm",
    "fused_linear_cross_entropy",
    "gae",
    "gate_up",
    "gather",
    "geglu",
    "gelu",
    "gelu_and_mul",
    "gelu_tanh_and_mul",
    "gemma_rms_norm",
    "glu",
    "greater",
    "greater_equal",
    "group_norm",
    "grouped_mm",
    "hardshrink",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "heaviside",
    "huber_loss",
    "hypot",
    "index_add",
    "index_put",
    "index_select",
    "instance_norm",
    "interpolate_bilinear",
    "interpolate_linear",
    "interpolate_nearest",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "jsd",
    "kl_div",
    "kron",
    "kthvalue",
    "l1_loss",
    "l2_normalize",
    "layer_norm",
    "leaky_relu",
    "lerp",
    "less",
    "less_equal",
    "linear",
    "linear_activation",
    "linear_recurrence",
    "linspace",
    "llama_rms_norm",
    "local_response_norm",
    "log",
    "log10",
    "log1p",
    "log2",
    "log_sigmoid",
    "log_softmax",
    "logaddexp",
    "logcumsumexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "logprobs_from_logits",
    "logsumexp",
    "lora_expand",
    "lora_shrink",
    "margin_ranking_loss",
    "masked_fill",
    "masked_mean",
    "masked_softmax",
    "masked_sum",
    "masked_var",
    "matmul",
    "matrix_transpose",
    "matvec",
    "max",
    "max_pool1d",
    "max_pool2d",
    "maximum",
    "mean",
    "median",
    "merge_attn_states",
    "meshgrid",
    "min",
    "minimum",
    "mish",
    "mla_decode",
    "mm",
    "mse_loss",
    "mul_and_silu",
    "multiply",
    "nan_to_num",
    "narrow",
    "negative",
    "nextafter",
    "nll_loss",
    "normal",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "outer",
    "pack_padded",
    "pad",
    "pad_packed",
    "paged_attention",
    "paged_prefill_attention",
    "permute_dims",
    "pixel_shuffle",
    "pixel_unshuffle",
    "positive",
    "pow",
    "prelu",
    "prod",
    "qk_norm",
    "quick_gelu",
    "ragged_max",
    "ragged_mean",
    "ragged_sum",
    "randint",
    "random_bits",
    "randperm",
    "reciprocal",
    "reglu",
    "relu",
    "relu6",
    "relu_and_mul",
    "remainder",
    "repeat",
    "reshape",
    "reshape_and_cache",
    "rms_norm",
    "roll",
    "rotary_cos_sin",
    "rotary_embedding",
    "round",
    "rsqrt",
    "scaled_dot_product_attention",
    "scatter",
    "scatter_add",
    "scatter_reduce",
    "searchsorted",
    "segment_sum",
    "selective_scan",
    "selu",
    "sigmoid",
    "sign",
    "signbit",
    "silu",
    "silu_and_mul",
    "sin",
    "sinh",
    "slice",
    "sliding_window",
    "smooth_l1_loss",
    "softmax",
    "softmax_with_sink",
    "softmin",
    "softplus",
    "softshrink",
    "softsign",
    "sort",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "swigluoai_and_mul",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tanhshrink",
    "threshold",
    "tile",
    "topk",
    "trace",
    "transpose",
    "tril",
    "triu",
    "trunc",
    "unfold",
    "uniform",
    "unstack",
    "vander",
    "var",
    "varlen_attention",
    "vecdot",
    "vecmat",
    "vector_norm",
    "where",
    "xlogy",
    "zeros",
    "zeros_like",
]
