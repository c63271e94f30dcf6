"""ModifierAdaptation: real-time optimization of a plant with a model that is wrong, from steady measurements."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Mapping
from typing import Any

from optimizers.steady.adapted import Adapted, Rates
from optimizers.steady.mismatch import Mismatch
from optimizers.steady.setpoint_solving import by_slsqp, on_model, softened
from optimizers.steady.setpoints import Setpoints
from optimizers.steady.statement import Statement
from twin import errors, units
from twin.controller import AbstractController, ControllerInfo
from twin.status import Status

PENALTY = 20.0  # price of an excess of its nominal size, in sizes of the objective: far above any shadow price
CORNERS = 8


@dataclasses.dataclass(frozen=True)
class Visit:
    """One steady state of the plant: moves over their ranges, what was measured and its noise, and what else was given."""

    move: tuple[float, ...]
    measured: tuple[float, ...]
    noise: tuple[float, ...]
    model: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class RtoState:
    """What `ModifierAdaptation` knows between two steps; made by its `init` and `step`.

    Attributes
    ----------
    inputs
        Inputs that the plant runs at.
    visits
        Steady states that were measured.
    radius
        Trust region, as a share of the ranges of the moves.
    given
        Disturbances, given inputs and parameters in force.
    """

    inputs: Mapping[str, float]
    visits: tuple[Visit, ...] = ()
    radius: float = 0.0
    given: Mapping[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, eq=False)
class ModifierAdaptation(AbstractController):
    """Brings a plant to its own optimum with a model that has another one.

    At each step the plant has settled and was measured. Objective and limits of the model are corrected by modifiers: the
    difference between plant and model at the best point so far, its gradient, and its curvature. They are estimated by
    regression on all measurements, with their uncertainty. The next inputs are optimal for the corrected model within a trust
    region; uncertainty of the objective counts as a bonus for the first `excite` steps, which is what excites the plant
    enough to learn its gradients, and uncertainty of the limits counts against them. Every plant evaluation is a step:
    there are no hidden perturbation experiments.

    `init(inputs)` makes the first state, `step(state, measured)` gives the next one and a `twin.ControllerInfo` whose
    `prediction` tells the modifiers.

    Attributes
    ----------
    problem
        `Setpoints` on the model that is to be corrected; limits must be hard.
    noise
        Standard deviation of each measurement (the objective's signals and the limited ones): a number in its unit, or "0.5 %" of
        the measured value. 0 where it is exact.
    back_off
        {limited signal: distance that is kept from its limits}, in its unit.
    radius
        (first, smallest, largest) trust region, as a share of the range of each move.
    excite
        Steps with a bonus for uncertainty; after a change of the plant call `init` with a new state, or raise it.
    excitation, caution
        How many standard deviations count for the objective, and against the limits.
    prior
        By how much slopes and curvatures of plant and model may differ over the whole range of a move, as a share of the
        nominal size of the quantity.
    curvature
        False: modifiers of first order only.
    filter
        Share of the way to the new optimum that is gone, above 0 to 1.
    forget
        Factor by which the noise of a measurement grows with each later step; 1 for a plant that does not change.
    interval
        Time that the plant is given to settle, in the time unit of the model; for information.

    Examples
    --------
    >>> import twin
    >>> from optimizers import ModifierAdaptation, Setpoints
    >>> from processes.chemical import WilliamsOtto, WilliamsOttoTwoReactions
    >>> plant = WilliamsOtto()
    >>> rto = ModifierAdaptation(Setpoints(WilliamsOttoTwoReactions(), maximize="profit"))
    >>> state = rto.init({"feed_b": 4.76935, "t_reactor": 78.22342})
    >>> for k in range(10):
    ...     measured = {"profit": twin.steady(plant, state.inputs)[0]["profit"]}
    ...     state, info = rto.step(state, measured)
    >>> twin.steady(plant, state.inputs)[0]["profit"] > 190.9
    True

    References
    ----------
    Marchetti, Chachuat, Bonvin, Ind. Eng. Chem. Res. 48 (2009) 6022-6033: modifier adaptation
    """

    problem: Setpoints
    noise: Mapping[str, float | str] = dataclasses.field(default_factory=dict)
    back_off: Mapping[str, float | str] = dataclasses.field(default_factory=dict)
    radius: tuple[float, float, float] = (0.12, 0.03, 0.3)
    excite: int = 10
    excitation: float = 1.5
    caution: float = 2.0
    prior: float = 0.5
    curvature: bool = True
    filter: float = 1.0
    forget: float = 1.0
    interval: float = math.nan

    def __post_init__(self) -> None:
        plain = Statement(self.problem)
        object.__setattr__(self, "_kernels", plain.kernels)  # lowered once
        if plain.soft:
            raise errors.SpecError(f"The limit of {plain.limits[plain.soft[0]].name} is soft. Expected hard limits, with "
                                   "back_off=.")
        first, least, most = self.radius
        if not 0 < least <= first <= most <= 1:
            raise errors.SpecError(f"radius is {self.radius}. Expected 0 < smallest <= first <= largest <= 1, given as (first, "
                                   "smallest, largest).")
        if not 0 < self.filter <= 1 or self.forget < 1 or self.prior <= 0:
            raise errors.SpecError(f"filter is {self.filter:g}, forget {self.forget:g}, prior {self.prior:g}. Expected a filter "
                                   "above 0 up to 1, forget of 1 or more, prior above 0.")
        for name in (*self.noise, *self.back_off):
            if name not in plain.places:
                raise errors.unknown("signal", name, plain.kernels.name, plain.places)
        limited = {limit.name for limit in plain.limits}
        for name, value in self.back_off.items():
            if name not in limited:
                raise errors.SpecError(f"back_off names {name}, which has no limit.")
            if units.to_model_unit(name, value, plain.places[name][1]) < 0:
                raise errors.SpecError(f"The back-off of {name} is {value}. Expected 0 or more.")

    def init(self, inputs: Mapping[str, float] | None = None) -> RtoState:
        """First state: the plant runs at `inputs` (the optimum of the model without)."""
        if inputs is None:
            from optimizers.solving import solve

            inputs = solve(self.problem, solver="slsqp").value
        known = Rates(self.problem, {}, self._kernels)  # type: ignore[attr-defined]
        return RtoState({n: float(v) for n, v in known.checked(inputs).items()}, (), self.radius[0])

    def step(self, state: RtoState, estimate: Mapping[str, float], **changes: Any) -> tuple[RtoState, ControllerInfo]:
        """Next inputs from what the settled plant was measured to do.

        Parameters
        ----------
        state
            Of the step before.
        estimate
            Measured signals of the objective and of the limits, by name, in the units of the model.
        changes
            Disturbances, given inputs and parameters of the model that have new values.

        Returns
        -------
        tuple
            The next state, whose `inputs` are to be applied, and the `twin.ControllerInfo`. Where nothing can be computed the
            inputs stay, and the info says why.
        """
        begun = time.perf_counter()
        try:
            found, info = self._step(state, estimate, changes)
        except (errors.TwinError, ArithmeticError, ValueError) as fault:
            found = state
            info = ControllerInfo(Status.NOT_CONVERGED, str(fault), state.inputs, "The inputs stay as they are.")
        return found, dataclasses.replace(info, seconds=time.perf_counter() - begun)

    def _step(self, state: RtoState, measured: Mapping[str, float],
              changes: Mapping[str, Any]) -> tuple[RtoState, ControllerInfo]:
        given = {**state.given, **changes}
        rates = Rates(self.problem, given, self._kernels)  # type: ignore[attr-defined]
        here = rates.share(state.inputs)
        visit = Visit(tuple(here), *rates.read(measured, self.noise), rates.model(here))
        visits = (*state.visits, visit)
        models, center = self._regressions(rates, visits)
        again = [rates.model(v.move) for v in visits] if given != state.given else [v.model for v in visits]
        best = self._best(rates, visits, models, again)
        if best != center:
            models, _ = self._regressions(rates, visits, best)
        at = visits[best].move
        bonus = self.excitation if len(visits) <= self.excite else 0.0
        aim, tries = self._target(rates, models, at, state.radius, bonus)
        target = tuple(a + self.filter * (b - a) for a, b in zip(at, aim, strict=True))
        length = max(abs(a - b) for a, b in zip(target, at, strict=True))
        _, least, most = self.radius
        radius = state.radius
        if len(visits) > len(at):  # before that nothing is known of the gradient
            radius = min(most, 1.5 * radius) if length > 0.95 * radius else min(max(least, 2 * length), radius)
        inputs = rates.inputs(target)
        adapted = self._told(rates, models, at, target, radius, bonus)
        text = f"Step {len(visits)}: best so far at {rates.said(rates.inputs(at))}; next {rates.said(inputs)}"
        text += f" (expected {rates.goal} {adapted.expected['objective']:.6g} {rates.statement.objective_unit})."
        return (RtoState(inputs, visits, radius, given),
                ControllerInfo(Status.SUCCESS, text, inputs, prediction=adapted, objective=adapted.expected["objective"],
                               iterations=tries))

    def _regressions(self, rates: Rates, visits: tuple[Visit, ...], center: int = -1) -> tuple[list[Mismatch], int]:
        """Mismatch of the objective and of each limited signal about a visit (the last one without)."""
        import numpy as np

        center = center if center >= 0 else len(visits) - 1
        age = np.array([self.forget ** (len(visits) - 1 - k) for k in range(len(visits))])
        points = np.array([v.move for v in visits])
        made = []
        for i, size in enumerate(rates.sizes):
            differences = np.array([v.measured[i] - v.model[i] for v in visits]) / size
            sd = np.array([v.noise[i] for v in visits]) * age / size
            made.append(Mismatch(points, differences, sd, points[center], self.prior, self.curvature))
        return made, center

    def _best(self, rates: Rates, visits: tuple[Visit, ...], models: list[Mismatch], again: list[Any]) -> int:
        """The visit that is best by all measurements together, within the limits where there is such a one."""
        ranks = []
        for k, visit in enumerate(visits):
            value = [m + size * mismatch.value(visit.move)[0]
                     for m, mismatch, size in zip(again[k], models, rates.sizes, strict=True)]
            over = sum(max(limit.lower - v, v - limit.upper, 0.0) / limit.nominal
                       for limit, v in zip(rates.statement.limits, value[1:], strict=True))
            ranks.append((-max(over, 0.0), -rates.statement.sign * value[0], k))
        return max(ranks)[2]

    def _target(self, rates: Rates, models: list[Mismatch], at: tuple[float, ...], radius: float,
                bonus: float) -> tuple[tuple[float, ...], int]:
        """Optimum of the corrected model within the trust region, from the center and from points around it."""
        import numpy as np

        s = Statement(dataclasses.replace(rates.problem, limits=softened(rates.statement, 1.0)), rates.statement.kernels)
        s.limits = [dataclasses.replace(limit, price=PENALTY * s.size / limit.nominal) for limit in s.limits]
        for j, (k, side) in enumerate(s.sides):
            limit = s.limits[k]
            off = units.to_model_unit(limit.name, self.back_off.get(limit.name, 0.0), limit.unit)
            own = models[1 + k]
            sign = 1.0 if side == "upper" else -1.0
            s.modifiers[k, side] = _modifier(s, own, rates.sizes[1 + k], sign * self.caution, sign * off)
            s.scale[s.n + j] = limit.nominal
        s.modifiers["objective"] = _modifier(s, models[0], rates.sizes[0], -s.sign * bonus, 0.0)
        low, high = np.maximum(np.asarray(at) - radius, 0.0), np.minimum(np.asarray(at) + radius, 1.0)
        ends = np.array([a for a, _ in s.moves.values()]), np.array([b - a for a, b in s.moves.values()])
        s.lower[s.n_w:s.n] = (ends[0] + low * ends[1]) / s.scale[s.n_w:s.n]
        s.upper[s.n_w:s.n] = (ends[0] + high * ends[1]) / s.scale[s.n_w:s.n]
        center = np.append(rates.unknowns(at)[:s.n], np.zeros(len(s.sides)))
        signs = list(itertools.product((-0.5, 0.5), repeat=len(at)))[:CORNERS]
        best: Any = None
        for corner in [(0.0,) * len(at), *signs]:
            v = center.copy()
            share = np.clip(np.asarray(at) + radius * np.asarray(corner), low, high)
            v[s.n_w:s.n] = (ends[0] + share * ends[1]) / s.scale[s.n_w:s.n]
            v, _, _ = by_slsqp(s, on_model(s, v), 60, 1e-9)
            v = on_model(s, np.clip(v, s.lower, s.upper))
            cost = s.cost(v)[0]
            if math.isfinite(cost) and np.abs(s.equations(v)[0]).max() < 1e-6 and (best is None or cost < best[0]):
                best = (cost, v)
        if best is None:
            raise errors.ConvergenceError("No optimum of the corrected model was found.", status=Status.NOT_CONVERGED)
        full = (best[1] * s.scale)[s.n_w:s.n]
        share = np.clip((full - ends[0]) / ends[1], low, high)
        return tuple(float(x) for x in share), len(signs) + 1

    def _told(self, rates: Rates, models: list[Mismatch], at: tuple[float, ...], target: tuple[float, ...], radius: float,
              bonus: float) -> Adapted:
        names = ["objective", *(limit.name for limit in rates.statement.limits)]
        spans = [b - a for a, b in rates.statement.moves.values()]
        expected, sd, constant = dict[str, float](), dict[str, float](), dict[str, float]()
        slope, slope_sd = dict[str, Mapping[str, float]](), dict[str, Mapping[str, float]]()
        for name, model, size, value in zip(names, models, rates.sizes, rates.model(target), strict=True):
            expected[name] = float(value + size * model.value(target)[0])
            sd[name] = size * model.sd(target)
            constant[name] = size * float(model.mean[0])
            slope[name] = dict(zip(rates.statement.moves, (size * model.slope / spans).tolist(), strict=True))
            slope_sd[name] = dict(zip(rates.statement.moves, (size * model.slope_sd / spans).tolist(), strict=True))
        return Adapted(rates.inputs(at), constant, slope, slope_sd, expected, sd, radius, bool(bonus))


def _modifier(statement: Statement, model: Mismatch, size: float, times_sd: float, shift: float) -> Any:
    """The mismatch as a function of the moved inputs, in the unit of the quantity."""
    import numpy as np

    low = np.array([a for a, _ in statement.moves.values()])
    span = np.array([b - a for a, b in statement.moves.values()])

    def modify(u: Any) -> tuple[float, Any]:
        value, gradient = model.value((u - low) / span, times_sd)
        return size * value + shift, size * gradient / span

    return modify
