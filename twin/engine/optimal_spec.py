"""What is optimized: an optimal-control problem over a tree of nodes, as functions, sizes and structure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from twin import errors

DEGREES = (1, 2, 3, 4, 5)


@dataclasses.dataclass(frozen=True)
class Carried:
    """A state without a differential equation: next = keep own + gain u[input].

    `Carried(1.0)` is a parameter to be decided, `Carried(0.0, 1.0, i)` the previous input, `Carried(1.0, 1.0, i)` an input
    that moves by u[i] over the edge.
    """

    keep: float = 1.0
    gain: float = 0.0
    input: int = 0


def chain(intervals: int) -> tuple[int, ...]:
    """Parents of the nodes of a horizon without branches."""
    return tuple(range(-1, intervals))


@dataclasses.dataclass(frozen=True)
class OcpSpec:
    """An optimal-control problem over a tree of nodes; the functions are written in jnp.

    Attributes
    ----------
    name
        Name for messages and generated code.
    point
        point(t, x, z, u, s, p) -> (dx/dt (n_c), algebraic residuals (n_z), path values (n_path), integrand of the cost); x is
        (n_c + carried), s in (0, 1] the position on the edge, p the parameters of the edge. None where there are no edges.
    stage
        stage(x, u, p) -> (cost, rows (n_rows)) of a node with inputs; p are the parameters of the node.
    terminal
        terminal(x, p) -> (cost, rows (n_rows_terminal)) of a leaf; None: no cost.
    initial
        initial(x, u, p) -> (cost, rows (n_rows_initial)) of the root in place of `stage`.
    parents
        Parent of each node, -1 for the root; parents come before their children.
    n_c, n_u, n_z, n_path
        Collocated states, inputs, algebraics and path values.
    carried
        States without a differential equation, behind the collocated ones.
    degree, elements
        Radau points of an element (1 to 5), and elements of an edge.
    x_scale, u_scale, z_scale, path_scale, row_scale, terminal_row_scale, initial_row_scale
        Typical sizes; everything is divided by them within the solver. None: 1.
    """

    name: str
    point: Callable[..., Any] | None
    stage: Callable[..., Any]
    terminal: Callable[..., Any] | None = None
    initial: Callable[..., Any] | None = None
    parents: Sequence[int] = dataclasses.field(default=(-1,), kw_only=True)
    n_c: int = dataclasses.field(default=0, kw_only=True)
    n_u: int = dataclasses.field(default=0, kw_only=True)
    carried: Sequence[Carried] = dataclasses.field(default=(), kw_only=True)
    n_z: int = dataclasses.field(default=0, kw_only=True)
    n_path: int = dataclasses.field(default=0, kw_only=True)
    n_rows: int = dataclasses.field(default=0, kw_only=True)
    n_rows_terminal: int = dataclasses.field(default=0, kw_only=True)
    n_rows_initial: int | None = dataclasses.field(default=None, kw_only=True)
    n_p_edge: int = dataclasses.field(default=0, kw_only=True)
    n_p_node: int = dataclasses.field(default=0, kw_only=True)
    degree: int = dataclasses.field(default=2, kw_only=True)
    elements: int = dataclasses.field(default=1, kw_only=True)
    x_scale: Sequence[float] | None = dataclasses.field(default=None, kw_only=True)
    u_scale: Sequence[float] | None = dataclasses.field(default=None, kw_only=True)
    z_scale: Sequence[float] | None = dataclasses.field(default=None, kw_only=True)
    path_scale: Sequence[float] | None = dataclasses.field(default=None, kw_only=True)
    row_scale: Sequence[float] | None = dataclasses.field(default=None, kw_only=True)
    terminal_row_scale: Sequence[float] | None = dataclasses.field(default=None, kw_only=True)
    initial_row_scale: Sequence[float] | None = dataclasses.field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        parents = list(self.parents)
        if not parents or parents[0] != -1 or any(not 0 <= p < n for n, p in enumerate(parents[1:], 1)):
            raise errors.SpecError(f"{self.name}: parents are {parents[:8]}. Expected -1, then for each node an earlier node.")
        if self.degree not in DEGREES or self.elements < 1:
            raise errors.SpecError(f"{self.name}: degree {self.degree}, elements {self.elements}. Expected a degree from 1 to 5 "
                                   "and at least one element.")
        if len(parents) > 1 and self.point is None:
            raise errors.SpecError(f"{self.name}: {len(parents)} nodes and no point function. Expected one.")
        for i, c in enumerate(self.carried):
            if not 0 <= c.input < max(1, self.n_u):
                raise errors.SpecError(f"{self.name}: carried state {i} takes input {c.input}. Expected 0 to {self.n_u - 1}.")
        for field, count in self.scale_lengths().items():
            scale = getattr(self, field)
            if scale is not None and (len(scale) != count or not all(v > 0 for v in scale)):
                raise errors.SpecError(f"{self.name}: {field} is {list(scale)[:6]}. Expected {count} positive numbers.")

    def scale_lengths(self) -> dict[str, int]:
        """Length of each scale."""
        return {"x_scale": self.n_x, "u_scale": self.n_u, "z_scale": self.n_z, "path_scale": self.n_path,
                "row_scale": self.n_rows, "terminal_row_scale": self.n_rows_terminal,
                "initial_row_scale": self.row_counts[2]}

    def scale(self, field: str) -> list[float]:
        """A scale as numbers."""
        given = getattr(self, field)
        return [1.0] * self.scale_lengths()[field] if given is None else [float(v) for v in given]

    @property
    def n_x(self) -> int:
        """States: collocated, then carried."""
        return self.n_c + len(self.carried)

    @property
    def row_counts(self) -> tuple[int, int, int]:
        """Rows of the stage, terminal and initial function."""
        initial = self.n_rows if self.initial is None or self.n_rows_initial is None else self.n_rows_initial
        return self.n_rows, self.n_rows_terminal, initial

    @property
    def points(self) -> int:
        """Collocation points of an edge."""
        return self.degree * self.elements

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.parents)
