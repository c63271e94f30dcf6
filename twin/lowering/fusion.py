"""Loops from lazy arrays: what is stored, which loops are one loop, and in which order."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twin.lowering.lazy_arrays import (
    INLINE,
    Buffer,
    Concat,
    Constant,
    Cumulative,
    Indices,
    Lazy,
    Move,
    Reduce,
    Reshape,
    Scan,
    Time,
)
from twin.lowering.loops import LoopBuilder, Writer, affine
from twin.lowering.program import Index

SHORT = 12  # longest axis that is written out instead of looped
UNROLLED = 160  # most elements that are written out in one loop body
DEAR = 12.0  # price in additions from which on a value is stored instead of computed twice
ROUNDS = 40


def looped(shape: Sequence[int]) -> tuple[int, ...]:
    """Axes that become loops; short ones are written out, the last first."""
    total, axes = 1, []
    for k in reversed(range(len(shape))):
        if shape[k] <= SHORT and total * shape[k] <= UNROLLED:
            total *= shape[k]
        else:
            axes.append(k)
    return tuple(reversed(axes))


def positions(shape: Sequence[int], loops: Sequence[int]) -> Iterable[Indices]:
    """Indices of all elements within the loops."""
    axes = dict(zip(looped(shape), loops, strict=True))
    for where in itertools.product(*((0,) if k in axes else range(n) for k, n in enumerate(shape))):
        yield tuple(affine(0, (axes[k], 1)) if k in axes else (i, ()) for k, i in enumerate(where))


class Reader:
    """Gives the node of any element, and notes what was computed and what was loaded."""

    def __init__(self, plan: Plan, writer: Writer) -> None:
        self.plan, self.writer = plan, writer
        self.builder: LoopBuilder = writer.builder
        self.computed: dict[tuple[int, Indices], int] = {}
        self.loaded: set[tuple[int, Indices | None]] = set()
        self.forward: dict[tuple[int, Indices], int] = {}

    def __call__(self, array: Lazy, index: Indices) -> int:
        key = (array.serial, index)
        if key in self.forward:
            return self.forward[key]
        buffer = self.plan.buffers.get(array.serial)
        if buffer is not None:
            self.loaded.add(key)
            return buffer.element(self, index)
        return self.compute(array, index)

    def compute(self, array: Lazy, index: Indices) -> int:
        """Node of an element, computed even where the array is stored."""
        key = (array.serial, index)
        if key not in self.computed:
            self.plan.seen[array.serial] = array
            self.computed[key] = array.element(self, index)
        return self.computed[key]

    def span(self, index: Index) -> tuple[int, int]:
        """Smallest and largest value of an index."""
        ends = [(0, s * (self.writer.counts[i] - 1)) for i, s in index[1]]
        return index[0] + sum(min(e) for e in ends), index[0] + sum(max(e) for e in ends)

    def stored(self, array: Lazy, index: Indices) -> int:
        """Ask that the array be stored; the node given now is not used."""
        self.plan.force(array)
        return self.builder.const(math.nan)

    def flat(self, array: Lazy, position: Index) -> int:
        """Node of an element by its position in a contiguous array."""
        buffer = self.plan.buffers.get(array.serial)
        if buffer is None:
            return self.stored(array, ())
        self.loaded.add((array.serial, None))
        return Buffer(buffer.name, (buffer.size,), buffer.offset).element(self, (position,))


@dataclasses.dataclass(eq=False)
class Root:
    """An array that is written to memory in one loop nest."""

    array: Lazy
    target: Buffer
    own: bool  # the target is the array's own place in `work`
    group: int = -1

    @property
    def reduced(self) -> Reduce | None:
        """The reduction that this root loops over, or None."""
        return self.array if isinstance(self.array, Reduce) and self.array.length > INLINE else None

    @property
    def domain(self) -> Lazy:
        """The array whose elements are looped over."""
        return self.reduced.operands[0] if self.reduced else self.array

    @property
    def extents(self) -> Any:
        """Counts of the loops; a scan is never joined with anything."""
        if isinstance(self.array, Scan):
            return self.array.serial, "scan"
        return tuple(self.domain.shape[k] for k in looped(self.domain.shape))

    def in_step(self, index: Indices, first_loop: int) -> bool:
        """True where an element is written in the very turn of the loops in which it is read at this index."""
        if not self.own or self.reduced or (isinstance(self.array, Cumulative) and self.array.reverse):
            return False
        return index in set(positions(self.array.shape, range(first_loop, first_loop + len(self.extents))))

    def prepare(self, w: Writer) -> Buffer | None:
        """Write the start of sums; gives the place of running values, where there are any."""
        a = self.array
        if self.reduced and self.reduced.opcode == "add":
            Plan([(Constant(_full(a.shape, self.reduced.start)), self.target)], {}).write(w)
            return None
        if self.reduced:
            shape, start = a.shape, self.reduced.start
        elif isinstance(a, Cumulative):
            shape, start = tuple(n for k, n in enumerate(a.shape) if k != a.axis), a.start
        else:
            return None
        running = Buffer("work", shape, (w.buffer(math.prod(shape)), ()))
        Plan([(Constant(_full(shape, start)), running)], {}).write(w)
        return running

    def write(self, read: Reader, loops: Sequence[int], running: Buffer | None) -> None:
        """Write the body of the loops."""
        a, w = self.array, read.writer
        if running is not None and loops:
            w.own(running.offset[0], running.size)
        if self.reduced:
            self.write_reduced(self.reduced, read, loops, running)
            return
        for index in positions(a.shape, loops):
            if isinstance(a, Cumulative) and running is not None and index[a.axis][1]:
                index, node = self.accumulated(a, read, index, running)
            else:
                node = read.compute(a, index)
            if self.own:
                read.forward[a.serial, index] = node
            w.store(self.target.name, self.target.place(index), node)

    def write_reduced(self, a: Reduce, read: Reader, loops: Sequence[int], running: Buffer | None) -> None:
        """Write what one turn adds to a sum, or does to another running value."""
        w, b = read.writer, read.builder
        latest: dict[Indices, int] = {}
        for index in positions(self.domain.shape, loops):
            node, kept = read(self.domain, index), tuple(index[k] for k in a.kept)
            if running is None:
                w.add(self.target.name, self.target.place(kept), node)
            else:
                before = latest[kept] if kept in latest else b.load("work", running.place(kept))
                latest[kept] = b.op(a.opcode, before, node)
        for kept, node in latest.items():
            w.store("work", running.place(kept), node)  # type: ignore[union-attr]
            w.store(self.target.name, self.target.place(kept), node)

    def accumulated(self, a: Cumulative, read: Reader, index: Indices, running: Buffer) -> tuple[Indices, int]:
        """Index and node of one turn of a running sum along a looped axis."""
        index = _turn(a, index)
        place = running.place(tuple(q for k, q in enumerate(index) if k != a.axis))
        node = read.builder.op(a.opcode, read.builder.load("work", place), read(a.operands[0], index))
        read.writer.store("work", place, node)
        return index, node


class Plan:
    """Arrays to be written to given places, and everything that must be stored on the way."""

    def __init__(self, wanted: Sequence[tuple[Lazy, Buffer]], buffers: dict[int, Buffer]) -> None:
        self.wanted, self.outer = list(wanted), buffers
        self.buffers = dict(buffers)
        self.forced: dict[int, Lazy] = {}
        self.seen: dict[int, Lazy] = {}

    def force(self, array: Lazy) -> None:
        """Store this array."""
        if array.serial not in self.buffers:
            self.forced[array.serial] = array

    def write(self, w: Writer) -> None:
        """Write the statements."""
        for _ in range(ROUNDS):
            known = len(self.forced)
            self.buffers = dict(self.outer)
            for serial in sorted(self.forced):
                array = self.forced[serial]
                self.buffers[serial] = Buffer("work", array.shape, (10**9 * (serial + 1), ()))
            roots = self.roots()
            if len(self.forced) > known:
                continue
            groups = self.grouped(roots, w)
            if len(self.forced) == known:
                self.store_what_is_dear(groups, w)
            if len(self.forced) == known:
                break
        for serial in sorted(self.forced):
            array = self.forced[serial]
            self.buffers[serial] = Buffer("work", array.shape, (w.buffer(array.size), ()))
        roots = self.roots()
        self.emit(self.grouped(roots, w), w)

    def roots(self) -> list[Root]:
        """The writes in order."""
        found: list[Root] = []
        for serial in sorted(self.forced):
            self.split(self.forced[serial], self.buffers[serial], True, found)
        for array, target in self.wanted:
            self.split(array, target, False, found)
        return found

    def split(self, array: Lazy, target: Buffer, own: bool, found: list[Root]) -> None:
        """Take writes apart: parts of a concatenation go to their places at once."""
        if array.size == 0:
            return
        if own or array.serial not in self.buffers:
            if isinstance(array, Concat):
                for part, start in zip(array.operands, array.starts, strict=False):
                    self.split(part, target.part(array.axis, start, part.shape[array.axis]), False, found)
                return
            push: Callable[[Buffer], Buffer | None] | None = getattr(array, "push", None)
            inner = push(target) if push is not None else None
            if inner is not None and isinstance(array, Move | Reshape):
                self.split(array.operands[0], inner, False, found)
                return
            if isinstance(array, Scan):
                for operand in array.operands:
                    if not isinstance(operand, Buffer | Constant | Time):
                        self.force(operand)
                if not own:
                    self.force(array)
            found.append(Root(array, target, own))
            return
        found.append(Root(_Copy(array), target, False))

    def grouped(self, roots: Sequence[Root], w: Writer) -> list[list[tuple[Root, Reader]]]:
        """Roots that share a loop nest, nests in order."""
        groups: list[list[tuple[Root, Reader]]] = []
        keys: list[Any] = []
        writers: dict[int, list[Root]] = {}
        owner = self.owners(roots)
        base = len(w.counts)
        for root in roots:
            extents = root.extents
            scratch = w.fork(extents if not isinstance(root.array, Scan) else ())
            read = Reader(self, scratch)
            if isinstance(root.array, Scan):
                for operand in root.array.operands:
                    if operand.serial in self.buffers:
                        read.loaded.add((operand.serial, None))
            else:
                self.rehearse(root, read, range(base, base + len(extents)))
            earliest = 0
            for serial, index in read.loaded:
                for writer in writers.get(serial, ()):
                    same = writer.extents == extents and index is not None and writer.in_step(index, base)
                    earliest = max(earliest, writer.group + (0 if same else 1))
            root.group = next((g for g in range(earliest, len(groups)) if keys[g] == extents), len(groups))
            if root.group == len(groups):
                groups.append([])
                keys.append(extents)
            groups[root.group].append((root, read))
            if root in owner:
                writers.setdefault(owner[root], []).append(root)
        return groups

    def owners(self, roots: Sequence[Root]) -> dict[Root, int]:
        """Which stored array each root writes (a part of)."""
        starts = sorted((self.buffers[s].offset[0], s) for s in self.forced)
        found = {}
        for root in roots:
            if root.target.name == "work":
                inside = [s for at, s in starts if at <= root.target.offset[0] < at + max(1, self.forced[s].size)]
                if inside:
                    found[root] = inside[-1]
        return found

    def rehearse(self, root: Root, read: Reader, loops: Sequence[int]) -> None:
        """Read all that a root reads."""
        for index in positions(root.domain.shape, loops):
            if root.reduced:
                read(root.domain, index)
            elif isinstance(root.array, Cumulative):
                read(root.array.operands[0], _turn(root.array, index))
            else:
                read.compute(root.array, index)

    def store_what_is_dear(self, groups: Sequence[Sequence[tuple[Root, Reader]]], w: Writer) -> None:
        """Store arrays that are dear and would be computed more than once."""
        volume: dict[int, float] = {}
        base = len(w.counts)
        for group in groups:
            keys = set().union(*(read.computed for _, read in group))
            counts = group[0][1].writer.counts
            for serial, index in keys:
                loops = {i for q in index for i, _ in q[1] if i >= base}
                volume[serial] = volume.get(serial, 0.0) + math.prod(counts[i] for i in loops)
        prices: dict[int, float] = {}
        moved = Buffer | Constant | Time | Concat | Move | Reshape | _Copy
        dear = [a for s, v in volume.items() if (a := self.seen[s]).size > 1 and v > 1.5 * a.size
                and not isinstance(a, moved) and self.price(a, prices) >= DEAR]
        inner = {o.serial for a in dear for o in self.below(a)}  # may be dear no more once the outer one is stored
        for a in dear:
            if a.serial not in inner:
                self.force(a)

    def below(self, array: Lazy) -> list[Lazy]:
        """Everything an array is made of."""
        found, stack, done = [], list(array.operands), set()
        while stack:
            a = stack.pop()
            if a.serial not in done:
                done.add(a.serial)
                found.append(a)
                stack += a.operands
        return found

    def price(self, array: Lazy, known: dict[int, float]) -> float:
        """Price of one element."""
        if array.serial in self.buffers:
            return 1.0
        if array.serial not in known:
            total = array.own_cost() + sum(self.price(a, known) for a in array.operands)
            known[array.serial] = min(total, 1e6)
        return known[array.serial]

    def emit(self, groups: Sequence[Sequence[tuple[Root, Reader]]], w: Writer) -> None:
        """Write the groups."""
        for group in groups:
            first = group[0][0]
            if isinstance(first.array, Scan):
                from twin.lowering.arrays import write_scan

                write_scan(first.array, first.target, self.buffers, w)
                continue
            running = [root.prepare(w) for root, _ in group]
            self.nest(w, list(first.extents), [], [r for r, _ in group], running)

    def nest(self, w: Writer, counts: list[int], loops: list[int], roots: list[Root], running: list[Buffer | None]) -> None:
        """Open the loops and write their body."""
        if counts:
            with w.loop(counts[0]) as i:
                self.nest(w, counts[1:], [*loops, i], roots, running)
            return
        read = Reader(self, w)
        for root, held in zip(roots, running, strict=True):
            root.write(read, loops, held)


def _turn(a: Cumulative, index: Indices) -> Indices:
    """Where a running sum is in this turn of its loops."""
    if not a.reverse:
        return index
    offset, terms = index[a.axis]
    back = affine(a.shape[a.axis] - 1 - offset, *((i, -s) for i, s in terms))
    return tuple(back if k == a.axis else q for k, q in enumerate(index))


class _Copy(Lazy):
    """A stored array, to be copied."""

    def __init__(self, base: Lazy) -> None:
        super().__init__(base.shape, (base,))

    def element(self, read: Reader, index: Indices) -> int:
        return read(self.operands[0], index)


def _full(shape: Sequence[int], value: float) -> Any:
    import numpy as np

    return np.full(shape, value)
