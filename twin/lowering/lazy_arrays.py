"""Arrays that are computed element by element when somebody asks: data movement is arithmetic on indices.

An index is one affine `Index` per axis. `read` gives the node of an element of another array; an array that cannot
answer for an index that runs in a loop asks `read` to be stored, and is asked again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from twin.lowering.loops import affine, plus, times
from twin.lowering.program import Index

if TYPE_CHECKING:
    from twin.lowering.fusion import Reader

Indices = tuple[Index, ...]
INLINE = 16  # longest sum that is written out
COST = {"exp": 20, "log": 20, "pow": 40, "tanh": 25, "logistic": 30, "div": 5, "sqrt": 6, "sin": 20, "cos": 20,
        "log1p": 20, "expm1": 20, "erf": 30, "integer_pow": 3, "atan": 20, "cbrt": 20, "exp2": 20}  # in additions


class Lazy:
    """Base of all arrays."""

    _serial = itertools.count()

    def __init__(self, shape: Sequence[int], operands: Sequence[Lazy] = ()) -> None:
        self.serial = next(Lazy._serial)  # operands are older than what is made of them
        self.shape = tuple(int(n) for n in shape)
        self.operands = tuple(operands)

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    def element(self, read: Reader, index: Indices) -> int:
        """Node of one element."""
        raise NotImplementedError

    def own_cost(self) -> float:
        """Price of an element, operands apart, in additions."""
        return 0.0


def row_major(shape: Sequence[int]) -> tuple[int, ...]:
    """Strides of a contiguous array."""
    return tuple(math.prod(shape[k + 1:]) for k in range(len(shape)))


class Buffer(Lazy):
    """Strided view of an argument of the kernel, of `out` or of `work`."""

    def __init__(self, name: str, shape: Sequence[int], offset: Index = (0, ()),
                 strides: Sequence[int] | None = None) -> None:
        super().__init__(shape)
        self.name, self.offset = name, offset
        self.strides = row_major(self.shape) if strides is None else tuple(strides)

    def place(self, index: Indices) -> Index:
        """Position of an element."""
        at = self.offset
        for i, s in zip(index, self.strides, strict=True):
            at = plus(at, times(i, s))
        return at

    def element(self, read: Reader, index: Indices) -> int:
        return read.builder.load(self.name, self.place(index))

    def part(self, axis: int, start: int, length: int, step: int = 1) -> Buffer:
        """View of a stretch along an axis."""
        shape = [length if k == axis else n for k, n in enumerate(self.shape)]
        strides = [s * step if k == axis else s for k, s in enumerate(self.strides)]
        return Buffer(self.name, shape, plus(self.offset, (start * self.strides[axis], ())), strides)

    def reshaped(self, shape: Sequence[int]) -> Buffer | None:
        """View of another shape, or None where strides forbid it."""
        runs: list[tuple[int, int]] = []
        for n, s in zip(self.shape, self.strides, strict=True):
            if n != 1 and runs and runs[-1][1] == s * n:
                runs[-1] = (runs[-1][0] * n, s)
            elif n != 1:
                runs.append((n, s))
        strides, rest, stride = [], 1, 1
        for n in shape:
            if n != 1 and rest == 1:
                rest, stride = runs.pop(0)
            if rest % n:
                return None
            rest //= n
            strides.append(stride * rest)
        return Buffer(self.name, shape, self.offset, strides)


class Time(Lazy):
    """The time argument."""

    def element(self, read: Reader, index: Indices) -> int:
        return read.builder.time()


class Constant(Lazy):
    """Numbers known now; folded where the index is, else in the table."""

    def __init__(self, value: Any) -> None:
        import numpy as np

        super().__init__(np.shape(value))
        self.value = np.asarray(value, dtype=float)

    def element(self, read: Reader, index: Indices) -> int:
        if all(not terms for _, terms in index):
            return read.builder.const(float(self.value[tuple(i for i, _ in index)]))
        seen = self.value[tuple(slice(None) if terms else i for i, terms in index)].reshape(-1)
        if seen.size and (seen.view("int64") == seen.view("int64")[0]).all():
            return read.builder.const(float(seen[0]))
        start = read.writer.constants(self.value.reshape(-1))
        return Buffer("table", self.shape, (start, ())).element(read, index)


class Op(Lazy):
    """Elementwise operation; operands of shape (), and axes of length 1, serve all elements."""

    def __init__(self, name: str, apply: Callable[..., int], operands: Sequence[Lazy], shape: Sequence[int]) -> None:
        super().__init__(shape, operands)
        self.name, self.apply = name, apply

    def element(self, read: Reader, index: Indices) -> int:
        found = []
        for a in self.operands:
            own = zip(a.shape, index, strict=False)  # a scalar has no index
            found.append(read(a, tuple((0, ()) if n == 1 else i for n, i in own)))
        return self.apply(read.builder, *found)

    def own_cost(self) -> float:
        return COST.get(self.name, 1)


class Move(Lazy):
    """Another array with its elements elsewhere; `push` says where a view of this one has the operand's elements."""

    def __init__(self, base: Lazy, shape: Sequence[int], pull: Callable[[Indices], Indices],
                 push: Callable[[Buffer], Buffer | None] | None = None) -> None:
        super().__init__(shape, (base,))
        self.pull, self.push = pull, push

    def element(self, read: Reader, index: Indices) -> int:
        return read(self.operands[0], self.pull(index))


class Reshape(Lazy):
    """Another array under another shape, row by row."""

    def __init__(self, base: Lazy, shape: Sequence[int]) -> None:
        super().__init__(shape, (base,))

    def push(self, target: Buffer) -> Buffer | None:
        """View of the target in the shape of the operand."""
        return target.reshaped(self.operands[0].shape)

    def element(self, read: Reader, index: Indices) -> int:
        base = self.operands[0]
        flat: Index = (0, ())
        for i, s in zip(index, row_major(self.shape), strict=True):
            flat = plus(flat, times(i, s))
        parts: list[Index] = []
        left, terms = flat[0], list(flat[1])
        for n, s in zip(base.shape, row_major(base.shape), strict=True):
            taken = [(i, k) for i, k in terms if k % s == 0 and n > 1]
            terms = [q for q in terms if q not in taken]
            own = affine(left // s if s else 0, *((i, k // s) for i, k in taken))
            left %= s
            low, high = read.span(own)
            if low < 0 or high >= n:
                return read.flat(base, flat)
            parts.append(own)
        return read.flat(base, flat) if terms else read(base, tuple(parts))


class Concat(Lazy):
    """Arrays one after the other along an axis."""

    def __init__(self, parts: Sequence[Lazy], axis: int) -> None:
        parts = [q for q in parts if q.shape[axis]] or list(parts[:1])
        self.axis = axis
        shape = list(parts[0].shape)
        shape[axis] = sum(q.shape[axis] for q in parts)
        self.starts = [0, *itertools.accumulate(q.shape[axis] for q in parts)]
        super().__init__(shape, parts)

    def element(self, read: Reader, index: Indices) -> int:
        low, high = read.span(index[self.axis])
        for part, start, stop in zip(self.operands, self.starts[:-1], self.starts[1:], strict=True):
            if start <= low and high < stop:
                inner = list(index)
                inner[self.axis] = plus(inner[self.axis], (-start, ()))
                return read(part, tuple(inner))
        return read.stored(self, index)


class Reduce(Lazy):
    """Sum, product or extreme over axes; short ones are written out."""

    def __init__(self, base: Lazy, axes: Sequence[int], opcode: str, start: float) -> None:
        self.axes, self.opcode, self.start = tuple(axes), opcode, start
        self.kept = tuple(k for k in range(len(base.shape)) if k not in self.axes)
        super().__init__([base.shape[k] for k in self.kept], (base,))
        self.length = math.prod(base.shape[k] for k in self.axes)

    def element(self, read: Reader, index: Indices) -> int:
        if self.length > INLINE:
            return read.stored(self, index)
        base, b = self.operands[0], read.builder
        total = b.const(self.start)
        for where in itertools.product(*(range(base.shape[k]) for k in self.axes)):
            node = read(base, self.inner(index, [(i, ()) for i in where]))
            total = b.op(self.opcode, total, node)
        return total

    def inner(self, kept: Sequence[Index], reduced: Sequence[Index]) -> Indices:
        """Index into the operand."""
        found = dict(zip(self.kept, kept, strict=True)) | dict(zip(self.axes, reduced, strict=True))
        return tuple(found[k] for k in range(len(found)))

    def own_cost(self) -> float:
        return float(self.length)


class Cumulative(Lazy):
    """Running sum, product or extreme along an axis; always stored where the axis is looped."""

    def __init__(self, base: Lazy, axis: int, opcode: str, start: float, reverse: bool) -> None:
        super().__init__(base.shape, (base,))
        self.axis, self.opcode, self.start, self.reverse = axis, opcode, start, reverse

    def element(self, read: Reader, index: Indices) -> int:
        at, terms = index[self.axis]
        n = self.shape[self.axis]
        if terms or n > INLINE:
            return read.stored(self, index)
        total = read.builder.const(self.start)
        for i in (range(n - 1, at - 1, -1) if self.reverse else range(at + 1)):
            node = read(self.operands[0], tuple((i, ()) if k == self.axis else q for k, q in enumerate(index)))
            total = read.builder.op(self.opcode, total, node)
        return total


class Scan(Lazy):
    """All results of a loop that carries values, one after the other in a flat array; always stored."""

    def __init__(self, eqn: Any, operands: Sequence[Lazy], sizes: Sequence[int]) -> None:
        super().__init__((sum(sizes),), operands)
        self.eqn = eqn

    def element(self, read: Reader, index: Indices) -> int:
        return read.stored(self, index)


def loop_free(shape: Sequence[int]) -> Iterator[Indices]:
    """All constant indices of a shape."""
    for where in itertools.product(*(range(n) for n in shape)):
        yield tuple((i, ()) for i in where)
