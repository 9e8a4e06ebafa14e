"""A row that is stored and then folded is folded while it is stored.

``for vector i: e[i] = f(i)`` before ``reduce j: g(e[j])`` over the same range becomes
one loop: softmax's exponentials are summed as they are made.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from opslib.ir import loops
from opslib.ir.expr import Expr, Read, Var, substitute, walk
from opslib.ir.loops import For, If, Let, Reduce, Statement, Store


def fuse_producers(kernel: loops.Kernel) -> loops.Kernel:
    """Applies the rule everywhere in the kernel."""
    return dataclasses.replace(kernel, body=_body(kernel.body))


def _body(body: tuple[Statement, ...]) -> tuple[Statement, ...]:
    done: list[Statement] = []
    for statement in body:
        s = _inside(statement)
        if isinstance(s, Reduce):
            at = len(done) - 1
            # Memory may be declared, and other values computed, in between.
            while at >= 0 and isinstance(done[at], loops.Alloc):
                at -= 1
            if at >= 0:
                fused = _fused(done[at], s)
                if fused is not None:
                    del done[at]
                    s = fused
        done.append(s)
    return tuple(done)


def _inside(s: Statement) -> Statement:
    match s:
        case For():
            return dataclasses.replace(s, body=_body(s.body))
        case If():
            return dataclasses.replace(s, then=_body(s.then), other=_body(s.other))
    return s


def _fused(producer: Statement, consumer: Reduce) -> Reduce | None:
    if not (isinstance(producer, For) and producer.kind == "vector"):
        return None
    if consumer.kind != "vector" or len(consumer.axes) != 1 or producer.step:
        return None
    (axis,), own = consumer.axes, producer.axis
    if (axis.start, axis.stop) != (own.start, own.stop):
        return None
    if not all(isinstance(s, Let | Store) for s in producer.body):
        return None
    stores = [s for s in producer.body if isinstance(s, Store)]
    if len(stores) != 1 or any(not isinstance(s, Let) for s in consumer.body):
        return None
    (store,) = stores
    mapping: dict[Expr, Expr] = {own.index: axis.index}
    place = tuple(substitute(i, mapping) for i in store.indices)
    reads = {
        n
        for root in (
            *consumer.args,
            *(s.value for s in consumer.body if isinstance(s, Let)),
        )
        for n in walk(root)
        if isinstance(n, Read) and n.tensor == store.buffer
    }
    if not reads or any(n.indices != place for n in reads):
        return None
    (read,) = reads
    value = substitute(store.value, mapping)
    if value.dtype != read.dtype:
        return None
    name = f"{store.buffer}_value"
    before: list[Any] = [
        Let(s.name, substitute(s.value, mapping))
        for s in producer.body
        if isinstance(s, Let)
    ]
    before += [Let(name, value), Store(store.buffer, place, Var(name, value.dtype))]
    swap: dict[Expr, Expr] = {read: Var(name, value.dtype)}
    after = [
        Let(s.name, substitute(s.value, swap))
        for s in consumer.body
        if isinstance(s, Let)
    ]
    return dataclasses.replace(
        consumer,
        args=tuple(substitute(a, swap) for a in consumer.args),
        body=(*before, *after),
    )
