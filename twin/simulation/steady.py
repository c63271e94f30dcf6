"""Steady states: all that can be found from many starts, with their stability."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twin import errors
from twin.simulation import settle
from twin.simulation.kernels import Kernels, Point
from twin.status import Status

ITERATIONS = 60


def steady(model: Any, inputs: Mapping[str, Any] | None = None, *, parameters: Mapping[str, Any] | None = None,
           starts: int | Sequence[Mapping[str, Any]] = 32, within_limits: bool = True,
           throw: bool = True) -> SteadyStates:
    """Find the steady states of a model at constant inputs.

    Newton's method with the exact Jacobian runs from several starts: the initial values, points along a damped
    approach from them, and points that fill the limits of the signals evenly. Roots are polished to rounding error. A model
    with more than 200 unknowns is left to run until it rests instead, and only that state is found; its stability is not
    computed (`kind` is "").

    Parameters
    ----------
    model
        A `DynamicModel` or `SteadyModel`.
    inputs
        Inputs and disturbances by name; those of the model's recipe (its first phase) without.
    parameters
        Parameters that differ from those of the model.
    starts
        Number of starts, or the starts themselves: states and algebraics by name.
    within_limits
        False keeps roots outside the limits of their signals as well.
    throw
        False returns an empty result with its status where no steady state is found.

    Raises
    ------
    ConvergenceError
        Where no start led to a steady state.

    Examples
    --------
    >>> import twin
    >>> from processes.chemical import ExothermicCstr
    >>> [point.kind for point in twin.steady(ExothermicCstr(), {"t_coolant": 300.0})]
    ['unstable focus', 'saddle', 'stable focus']
    """
    kernels = Kernels(model, check_limits=within_limits)
    base = kernels.point(None, inputs, parameters, consistent=False)
    roots: list[Any] = []
    outside = 0
    best = math.inf
    large = settle.is_large(kernels)
    for start in _starts(kernels, base, starts, 0.0 if within_limits else 1.0) if not (large and isinstance(starts, int)) else \
            [settle.settled(model, kernels, base, _inputs(kernels, base), parameters)]:
        root, size = (settle.polish if large else _newton)(kernels, base, start)
        best = min(best, size)
        if root is None or any(_same(kernels, root, r) for r in roots):
            continue
        if within_limits and not _inside(kernels, root):
            outside += 1
            continue
        roots.append(root)
    roots.sort(key=lambda w: tuple(float(v) for v in w))
    points = tuple(_steady_point(kernels, base, w) for w in roots)
    if points:
        return SteadyStates(kernels.name, Status.SUCCESS, points, outside)
    where = f" {outside} root(s) lie outside the limits of the signals." if outside else ""
    message = (f"No steady state of {kernels.name} was found (best scaled residual {best:.2g}).{where} {_advice(kernels, base)}")
    if throw:
        raise errors.ConvergenceError(message, status=Status.NOT_CONVERGED, residual=best)
    return SteadyStates(kernels.name, Status.NOT_CONVERGED, (), outside, message)


def _advice(kernels: Kernels, base: Point) -> str:
    """What to do where no steady state was found: names states whose rate depends on no unknown, as a volume's."""
    import numpy as np

    names = list(kernels.labels("state"))
    free = [n for n, row in zip(names, kernels.jacobian(base), strict=False) if not np.any(row)]
    if free:
        return (f"The rate of {', '.join(free)} depends on no state, so it has no steady value of its own: simulate until the "
                "others rest.")
    return "Give starts near it, or check whether a state can only grow."


@dataclasses.dataclass(frozen=True, eq=False)
class SteadyPoint(Point):
    """One steady state; `point["c_a"]` gives any signal.

    Attributes
    ----------
    eigenvalues
        Of the linearized states, rightmost first, in 1/time; empty for steady models.
    kind
        "stable node", "stable focus", "saddle", "unstable node", "unstable focus", "marginal", or "" for steady models.
    residual
        Greatest rate over its nominal value, in 1/time.
    """

    eigenvalues: Any = ()
    kind: str = ""
    residual: float = 0.0

    @property
    def stable(self) -> bool:
        """True for stable nodes and focuses."""
        return self.kind.startswith("stable")


@dataclasses.dataclass(frozen=True, eq=False)
class SteadyStates:
    """The steady states of one model, a sequence in ascending order of the first state."""

    model: str
    status: Status
    points: tuple[SteadyPoint, ...]
    outside: int = 0
    message: str = ""

    def __len__(self) -> int:
        return len(self.points)

    def __iter__(self) -> Iterator[SteadyPoint]:
        return iter(self.points)

    def __getitem__(self, k: int) -> SteadyPoint:
        return self.points[k]

    @property
    def stable(self) -> tuple[SteadyPoint, ...]:
        """The stable ones."""
        return tuple(p for p in self.points if p.stable)

    def table(self) -> Any:
        """DataFrame: one row a steady state with every scalar signal, kind and rightmost eigenvalue; units in attrs."""
        import pandas as pd

        rows = []
        for p in self.points:
            scalars = {k: v for k, v in p.values.items() if not isinstance(v, list)}
            rightmost = complex(p.eigenvalues[0]) if len(p.eigenvalues) else None
            rows.append({**scalars, "kind": p.kind, "eigenvalue": rightmost, "residual": p.residual})
        frame = pd.DataFrame(rows)
        frame.attrs["units"] = dict(self.points[0].units) if self.points else {}
        return frame


def _inputs(kernels: Kernels, base: Point) -> dict[str, float]:
    """Inputs and disturbances of the point by name."""
    return {r.signal.name: flat[r.start] for role, flat in (("input", base.u), ("disturbance", base.d))
            for r in kernels.model.layout(role)}


def _starts(kernels: Kernels, base: Point, starts: int | Sequence[Mapping[str, Any]], margin: float) -> Iterator[Any]:
    """Start vectors (x, z); `margin` widens the box that is filled, in widths of it."""
    import numpy as np

    first = np.asarray(base.x + base.z, dtype=float)
    if not isinstance(starts, int):
        for given in starts:
            yield kernels.overwritten(first, given)
        return
    yield first
    yield from _approach(kernels, base, first)
    lower, upper = kernels.box()
    lower, upper = lower - margin * (upper - lower), upper + margin * (upper - lower)
    n = len(first)
    # additive recurrence with the generalized golden ratio: fills the box evenly, the same points on every machine
    root = 1.5
    for _ in range(60):
        root = (1 + root) ** (1 / (n + 1))
    steps = root ** -np.arange(1, n + 1)
    for k in range(1, starts):
        yield lower + (upper - lower) * ((0.5 + k * steps) % 1.0)


def _approach(kernels: Kernels, base: Point, first: Any) -> Iterator[Any]:
    """Points on a damped way from the first start: implicit Euler with growing steps."""
    import numpy as np

    n = kernels.n_x
    scale = kernels.scale()
    w, h = first.copy(), 1e-3
    mass = np.diag(np.concatenate([np.ones(n), np.zeros(len(w) - n)]))
    for k in range(40):
        f, jacobian = kernels.rates(base, w), kernels.jacobian(base, w)
        if not (np.isfinite(f).all() and np.isfinite(jacobian).all()):
            return
        try:
            step = np.linalg.solve(mass / h - jacobian, f)
        except np.linalg.LinAlgError:
            return
        change = float(np.max(np.abs(step) / scale, initial=0.0))
        if not math.isfinite(change):
            return
        w = w + step * min(1.0, 1.0 / max(change, 1e-300))
        h *= 2.0 if change < 0.3 else 1.0 if change < 1.0 else 0.5
        if k % 8 == 7:
            yield w.copy()


def _newton(kernels: Kernels, base: Point, start: Any) -> tuple[Any, float]:
    """Root and its scaled residual, or None and the least residual that was reached."""
    import numpy as np

    scale = kernels.scale()
    w = start.copy()
    f = kernels.rates(base, w)
    size = _size(f, scale)
    for _ in range(ITERATIONS):
        if not math.isfinite(size):
            return None, math.inf
        jacobian = kernels.jacobian(base, w)
        if not np.isfinite(jacobian).all():
            return None, size
        try:
            step = -np.linalg.solve(jacobian * scale, f)
        except np.linalg.LinAlgError:
            return None, size
        if not np.isfinite(step).all():
            return None, size
        part = min(1.0, 2.0 / max(float(np.max(np.abs(step), initial=0.0)), 1e-300))
        while True:
            trial = w + part * step * scale
            f_trial = kernels.rates(base, trial)
            after = _size(f_trial, scale)
            if after < (1 - 0.1 * part) * size or (part == 1.0 and after <= size) or part < 1e-4:
                break
            part *= 0.5
        small = float(np.max(np.abs(step), initial=0.0)) < 1e-9
        if small and not after < size:
            return w, size  # rounding error: nothing left to gain
        if not after < 2 * size:
            return None, size
        w, f, size = trial, f_trial, after
        if size == 0.0:
            return w, size
    return None, size


def _size(f: Any, scale: Any) -> float:
    import numpy as np

    return float(np.max(np.abs(f) / scale, initial=0.0))


def _same(kernels: Kernels, a: Any, b: Any) -> bool:
    import numpy as np

    return bool(np.max(np.abs(a - b) / (kernels.scale() + np.maximum(np.abs(a), np.abs(b))), initial=0.0) < 1e-6)


def _inside(kernels: Kernels, w: Any) -> bool:
    slack = 1e-6 * kernels.scale()
    lower, upper = kernels.limits()
    return bool(((w >= lower - slack) & (w <= upper + slack)).all())


def _steady_point(kernels: Kernels, base: Point, w: Any) -> SteadyPoint:
    import numpy as np

    n = kernels.n_x
    point = kernels.with_unknowns(base, w)
    facts = {f.name: getattr(point, f.name) for f in dataclasses.fields(Point)}
    residual = _size(kernels.rates(base, w), kernels.scale())
    if not n or settle.is_large(kernels):
        return SteadyPoint(**facts, residual=residual)
    jacobian = kernels.jacobian(base, w)
    a = jacobian[:n, :n]
    if len(w) > n:
        a = a - jacobian[:n, n:] @ np.linalg.solve(jacobian[n:, n:], jacobian[n:, :n])
    values = np.linalg.eigvals(a).astype(complex)
    values = values[np.lexsort((values.imag, -values.real))]
    return SteadyPoint(**facts, eigenvalues=values, kind=_kind(values), residual=residual)


def _kind(values: Any) -> str:
    import numpy as np

    tiny = 1e-9 * float(np.max(np.abs(values), initial=0.0))
    grows, falls = values.real > tiny, values.real < -tiny
    turns = np.abs(values.imag) > 1e-9 * np.abs(values)
    if falls.all():
        return "stable focus" if turns.any() else "stable node"
    if not grows.any():
        return "marginal"
    if turns[grows].all():
        return "unstable focus"
    return "unstable node" if grows.all() else "saddle"
