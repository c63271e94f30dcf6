"""A steady problem in flat vectors: unknowns, equations, limits and objective with exact first derivatives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from optimizers.dynamic import reading
from twin import errors
from twin.limits import Soft
from twin.simulation.kernels import Kernels


@dataclasses.dataclass(frozen=True)
class Limit:
    """One limited quantity: `place` in the vector (x, z, u, y) of all signals."""

    name: str
    place: int
    unit: str
    lower: float
    upper: float
    nominal: float
    price: float = math.inf


class Statement:
    """Unknowns v = (states, algebraics, moved inputs, excesses of soft limits), all over their nominal sizes.

    Minimized: `cost`. Rows: the model's equations (zero), then the limited quantities (within `row_lower`, `row_upper`).
    """

    def __init__(self, problem: Any, kernels: Kernels | None = None) -> None:
        import numpy as np

        self.problem = problem
        self.kernels = kernels = kernels or Kernels(problem.model)
        self.check = check = kernels.check
        self.moves = _moves(check, problem)
        given = {n: v for n, v in problem.inputs.items()}
        entries = check.rows("input", "disturbance")
        for name in given:
            if name not in entries:
                raise errors.unknown("input", name, kernels.name, entries)
            if name in self.moves:
                raise errors.SpecError(f"{kernels.name}.{name} is moved and given. Keep one of the two.")
        missing = [n for n in check.rows("input") if n not in given and n not in self.moves]
        recipe = problem.model.recipe() if missing and hasattr(problem.model, "recipe") else None
        known = dict(recipe.phases[0].inputs) if recipe is not None else {}
        for name in missing:
            if not isinstance(known.get(name), int | float):
                signal = entries[name].signal
                raise errors.SpecError(f"{kernels.name}.{name} is neither moved nor given. Give inputs={{'{name}': "
                                       f"{signal.nominal:g}}} in {signal.unit}, or name it in moves.")
            given[name] = known[name]
        middle = {n: 0.5 * (low + high) for n, (low, high) in self.moves.items()}
        self.base = kernels.point(None, {**given, **middle}, problem.parameters or None, consistent=False)
        self.n, self.n_w, self.n_u = kernels.n_x + kernels.n_z + len(self.moves), kernels.n_x + kernels.n_z, len(self.moves)
        self.columns = [entries[n].start for n in self.moves]
        self.places = _places(check)
        self.limits = [self._limit(name, value) for name, value in problem.limits.items()]
        self.soft = [k for k, limit in enumerate(self.limits) if limit.price < math.inf]
        self.sides = [(k, side) for k in self.soft for side in ("lower", "upper")
                      if math.isfinite(getattr(self.limits[k], side))]
        self.weights, self.objective_unit, self.sign = _objective(check, problem, self.places)
        # What real-time optimization adds to the objective ("objective") and to the limited quantity of a soft side (k, side):
        # functions of the moved inputs that give value and gradient, in the unit of the quantity.
        self.modifiers: dict[Any, Any] = {}
        low, high = kernels.limits()
        spans = list(self.moves.values())
        self.scale = np.concatenate([kernels.scale(), [b - a for a, b in spans],
                                     [self.limits[k].nominal for k, _ in self.sides]])
        self.lower = np.concatenate([low, [a for a, _ in spans], np.zeros(len(self.sides))]) / self.scale
        self.upper = np.concatenate([high, [b for _, b in spans], np.full(len(self.sides), np.inf)]) / self.scale
        self.row_lower = np.array([limit.lower if limit.price == math.inf else -np.inf for limit in self.limits])
        self.row_upper = np.array([limit.upper if limit.price == math.inf else np.inf for limit in self.limits])
        self.size = max(sum(abs(w) * self.places[n][2] for n, w in self.weights.items()), 1e-300)

    def _limit(self, name: str, value: Any) -> Limit:
        if name not in self.places:
            raise errors.unknown("signal", name, self.kernels.name, self.places)
        place, unit, nominal = self.places[name]
        what = f"the limit of {self.kernels.name}.{name}"
        price = value.price if isinstance(value, Soft) else math.inf
        low, high = reading.pair(what, (value.lower, value.upper) if isinstance(value, Soft) else value, unit)
        return Limit(name, place, unit, low, high, nominal, price)

    @property
    def start_vector(self) -> Any:
        """Unknowns at the middle of the moves and the initial or nominal states."""
        return self.start(self.base)

    def start(self, point: Any) -> Any:
        """Unknowns at a steady state."""
        import numpy as np

        v = np.concatenate([point.x, point.z, [point.u[c] for c in self.columns], np.zeros(len(self.sides))])
        every = self._signals(point)[0]
        for j, (k, side) in enumerate(self.sides):
            limit, value = self.limits[k], every[self.limits[k].place]
            v[self.n + j] = max(limit.lower - value if side == "lower" else value - limit.upper, 0.0)
        return v / self.scale

    def point(self, v: Any) -> Any:
        """The model at given unknowns."""
        full = v * self.scale
        u = list(self.base.u)
        for c, value in zip(self.columns, full[self.n_w:self.n], strict=True):
            u[c] = float(value)
        x, z = full[:self.kernels.n_x], full[self.kernels.n_x:self.n_w]
        return dataclasses.replace(self.base, x=tuple(map(float, x)), z=tuple(map(float, z)), u=tuple(u))

    def _signals(self, point: Any, slopes: bool = False) -> tuple[Any, Any]:
        """Values of (x, z, u, d, y), and their derivatives by (x, z, moved inputs)."""
        import numpy as np

        kernels = self.kernels
        y = kernels.functions["outputs"](0.0, point.x, point.z, point.u, point.d, point.p) if kernels.n_y else np.zeros(0)
        values = np.concatenate([point.x, point.z, point.u, point.d, y])
        if not slopes:
            return values, None
        n_e = len(point.u) + len(point.d)
        out = kernels.matrix("output_jacobian", point, kernels.n_y)
        moved = np.zeros((n_e, self.n_u))
        for j, c in enumerate(self.columns):
            moved[c, j] = 1.0
        whole = np.zeros((self.n_w + n_e + kernels.n_y, self.n))
        whole[:self.n_w, :self.n_w] = np.eye(self.n_w)
        whole[self.n_w:self.n_w + n_e, self.n_w:] = moved
        if kernels.n_y:
            whole[self.n_w + n_e:, :self.n_w] = out[:, :self.n_w]
            whole[self.n_w + n_e:, self.n_w:] = out[:, self.n_w:] @ moved
        return values, whole

    def quantities(self, v: Any) -> tuple[Any, Any]:
        """All signals and their derivatives by the unscaled (x, z, moved inputs)."""
        return self._signals(self.point(v), slopes=True)

    def _modified(self, key: Any, v: Any) -> tuple[float, Any]:
        """What a modifier adds, and its gradient by the unscaled (x, z, moved inputs)."""
        import numpy as np

        gradient = np.zeros(self.n)
        if key not in self.modifiers:
            return 0.0, gradient
        value, gradient[self.n_w:] = self.modifiers[key]((v * self.scale)[self.n_w:self.n])
        return float(value), gradient

    def cost(self, v: Any) -> tuple[float, Any]:
        """What is minimized, over its size, and its gradient by v."""
        import numpy as np

        values, slopes = self.quantities(v)
        gradient = np.zeros(len(v))
        total, own = self._modified("objective", v)
        total, gradient[:self.n] = self.sign * total, self.sign * own
        for name, weight in self.weights.items():
            place = self.places[name][0]
            total += self.sign * weight * values[place]
            gradient[:self.n] += self.sign * weight * slopes[place]
        for j, (k, _) in enumerate(self.sides):
            total += self.limits[k].price * v[self.n + j] * self.scale[self.n + j]
            gradient[self.n + j] += self.limits[k].price
        return total / self.size, gradient * self.scale / self.size

    def equations(self, v: Any) -> tuple[Any, Any]:
        """Rates and residuals and their derivatives by v."""
        import numpy as np

        point = self.point(v)
        w = np.asarray(point.x + point.z)
        rates = self.kernels.rates(point, w)
        entry = self.kernels.matrix("input_jacobian", point, self.n_w)[:, self.columns]
        jacobian = np.hstack([self.kernels.jacobian(point, w), entry, np.zeros((self.n_w, len(self.sides)))])
        return rates, jacobian * self.scale

    def limited(self, v: Any) -> tuple[Any, Any, Any, Any]:
        """Rows a v-function must keep within bounds: values, derivatives by v, lower, upper; each over its nominal size.

        A soft limit has one row a side, value less excess within the limit.
        """
        import numpy as np

        values, slopes = self.quantities(v)
        rows, gradients, low, high = [], [], [], []
        for k, limit in enumerate(self.limits):
            if limit.price == math.inf:
                rows.append(values[limit.place] / limit.nominal)
                gradients.append(np.concatenate([slopes[limit.place], np.zeros(len(self.sides))]) * self.scale / limit.nominal)
                low.append(self.row_lower[k] / limit.nominal)
                high.append(self.row_upper[k] / limit.nominal)
        for j, (k, side) in enumerate(self.sides):
            limit, sign = self.limits[k], 1.0 if side == "lower" else -1.0
            more, own = self._modified((k, side), v)
            gradient = np.concatenate([slopes[limit.place] + own, np.zeros(len(self.sides))])
            gradient[self.n + j] = sign
            rows.append((values[limit.place] + more + sign * v[self.n + j] * self.scale[self.n + j]) / limit.nominal)
            gradients.append(gradient * self.scale / limit.nominal)
            low.append(limit.lower / limit.nominal if side == "lower" else -math.inf)
            high.append(limit.upper / limit.nominal if side == "upper" else math.inf)
        n = len(v)
        return np.array(rows), np.array(gradients).reshape(len(rows), n), np.array(low), np.array(high)

    def row_limits(self) -> list[tuple[Limit, str]]:
        """Limit and side ("" for both) of each row of `limited`."""
        hard = [(limit, "") for limit in self.limits if limit.price == math.inf]
        return hard + [(self.limits[k], side) for k, side in self.sides]

    def labels(self) -> list[tuple[str, str]]:
        """Name and unit of each unknown that is no excess."""
        listed = [*self.kernels.labels("state").items(), *self.kernels.labels("algebraic").items()]
        return listed + [(n, self.places[n][1]) for n in self.moves]

    def without_limits(self) -> tuple[Any, Any]:
        """Bounds of v without those of states and algebraics."""
        low, high = self.lower.copy(), self.upper.copy()
        low[:self.n_w], high[:self.n_w] = -math.inf, math.inf
        return low, high


def _moves(check: Any, problem: Any) -> dict[str, tuple[float, float]]:
    """Bounds of the moved inputs; all that are not given where none is named."""
    given = problem.moves or [n for n in check.rows("input") if n not in problem.inputs]
    if isinstance(given, Mapping):
        given = {n: (None, None) if bounds is None else bounds for n, bounds in given.items()}
    found = {name: reading.bounds_of(check, name, move) for name, move in reading.moves_of(check, given).items()}
    if not found:
        raise errors.SpecError(f"{check.name} has no input to move. Expected at least one.")
    return found


def _places(check: Any) -> dict[str, tuple[int, str, float]]:
    """Place in (x, z, u, d, y), unit and nominal size of each scalar signal and each cell of the others."""
    found, start = {}, 0
    for role in ("state", "algebraic", "input", "disturbance", "output"):
        rows = check.rows(role)
        for name, row in rows.items():
            nominal = abs(row.signal.nominal) or 1.0
            for i in range(row.count):
                label = f"{name}[{i}]" if row.shape else name
                found[label] = (start + row.start + i * row.step, row.signal.unit, nominal)
        start += sum(row.count for row in rows.values())
    return found


def _objective(check: Any, problem: Any, places: Mapping[str, Any]) -> tuple[dict[str, float], str, float]:
    if (problem.maximize is None) == (problem.minimize is None):
        raise errors.SpecError("Setpoints needs maximize or minimize, and not both.")
    goal = problem.minimize if problem.maximize is None else problem.maximize
    weights = {goal: 1.0} if isinstance(goal, str) else {n: float(w) for n, w in goal.items()}
    for name in weights:
        if name not in places:
            raise errors.unknown("signal", name, check.name, places)
    unit = problem.unit or (places[next(iter(weights))][1] if isinstance(goal, str) else "")
    return weights, unit, 1.0 if problem.maximize is None else -1.0
