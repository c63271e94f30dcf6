"""What a calibration may move: parameters, initial states, biases of inputs; and the coordinates it moves in."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from twin import errors
from twin.simulation.checks import Checker, number, parameter_facts

INITIAL, BIAS = "initial.", "bias."
SCALES = ("linear", "log")


@dataclasses.dataclass(frozen=True)
class Unknown:
    """One thing to be found from data; what is left out comes from the model.

    Parameters
    ----------
    name
        A parameter ("mu_max", "k[2]", "learned.growth_rate.net..."), "initial.<state>" for an initial state, or
        "bias.<input>" for a constant that is added to a measured input or disturbance.
    start
        First guess, a number in the unit of the model or with a unit ("0.1 1/h"); the value of the model without.
    bounds
        Lower and upper bound, each a number, a string with unit, or None; those of the model without.
    scale
        "linear" or "log" (the logarithm is what moves: for positive quantities known to an order of magnitude).
    prior
        (value, standard deviation): what is known without the data. The deviation may be relative ("20 %"); on a log scale
        it is taken of the logarithm.
    per_run
        True: a value of its own for each run; False: one for all. Initial states and biases have one for each run
        without, parameters one for all.

    Examples
    --------
    >>> Unknown("k_s", bounds=("1 mg/l", None), scale="log", prior=(0.15, "50 %")).scale
    'log'
    """

    name: str
    start: Any = None
    bounds: tuple[Any, Any] | None = None
    scale: str | None = None
    prior: tuple[Any, Any] | None = None
    per_run: bool | None = None


@dataclasses.dataclass(frozen=True)
class Coordinate:
    """One number that the fit moves; values in `unit`."""

    label: str
    name: str
    run: str | None
    unit: str
    start: float
    lower: float
    upper: float
    scale: str
    size: float
    prior: tuple[float, float] | None

    def to_natural(self, q: float) -> float:
        """Value of a coordinate."""
        return math.exp(q) if self.scale == "log" else q * self.size

    def to_fitted(self, value: float) -> float:
        """Coordinate of a value; -inf for zero on a log scale."""
        if self.scale == "log":
            return math.log(value) if value > 0 else -math.inf
        return value / self.size


@dataclasses.dataclass(frozen=True)
class Space:
    """All coordinates of a fit."""

    coordinates: tuple[Coordinate, ...]
    moved: tuple[str, ...] = ()  # sentences about starts that had to be moved

    def __len__(self) -> int:
        return len(self.coordinates)

    @property
    def labels(self) -> tuple[str, ...]:
        """Names, with the run where there is one value a run."""
        return tuple(c.label for c in self.coordinates)

    def _each(self, function: str, values: Iterable[float]) -> Any:
        import numpy as np

        return np.array([getattr(c, function)(float(v)) for c, v in zip(self.coordinates, values, strict=True)])

    def natural(self, q: Any) -> Any:
        """Values in the units of the model, shape (n,)."""
        return self._each("to_natural", q)

    def fitted(self, values: Any) -> Any:
        """Coordinates of values."""
        return self._each("to_fitted", values)

    def slope(self, values: Any) -> Any:
        """Derivative of the values with respect to the coordinates."""
        import numpy as np

        return np.array([v if c.scale == "log" else c.size for c, v in zip(self.coordinates, values, strict=True)])

    @property
    def start(self) -> Any:
        """Coordinates of the first guess."""
        return self.fitted(c.start for c in self.coordinates)

    @property
    def bounds(self) -> tuple[Any, Any]:
        """Lower and upper bounds of the coordinates."""
        return self.fitted(c.lower for c in self.coordinates), self.fitted(c.upper for c in self.coordinates)

    def prior_rows(self) -> tuple[Any, Any, Any]:
        """Which coordinates have a prior, its mean and its standard deviation, in coordinates."""
        import numpy as np

        rows = [(k, c) for k, c in enumerate(self.coordinates) if c.prior]
        mean = [c.to_fitted(c.prior[0]) for _, c in rows if c.prior]
        spread = [c.prior[1] / (c.prior[0] if c.scale == "log" else c.size) for _, c in rows if c.prior]
        return np.array([k for k, _ in rows], dtype=int), np.array(mean), np.array(spread)


def space_of(model: Any, unknowns: Sequence[str | Unknown] | Mapping[str, Any] | None, runs: Sequence[str],
             initial: Mapping[str, Mapping[str, float]]) -> Space:
    """Coordinates of the unknowns; `initial` gives the initial states by run."""
    check = Checker(model)
    if unknowns is None:
        unknowns = [n for n in parameter_facts(model) if n in check.parameter_names()]
    if isinstance(unknowns, Mapping):
        unknowns = [Unknown(name, start=start) for name, start in unknowns.items()]
    if isinstance(unknowns, str | Unknown):
        unknowns = [unknowns]
    given = [u if isinstance(u, Unknown) else Unknown(str(u)) for u in unknowns]
    if not given:
        raise errors.SpecError(f"There is nothing to calibrate in {check.name}. Name at least one parameter.")
    seen: set[str] = set()
    found: list[Coordinate] = []
    moved: list[str] = []
    for u in given:
        if u.name in seen:
            raise errors.SpecError(f"The unknown '{u.name}' is named twice. Name it once.", name=u.name)
        seen.add(u.name)
        every = u.per_run if u.per_run is not None else u.name.startswith((INITIAL, BIAS))
        for run in runs if every else (None,):
            coordinate, sentence = _coordinate(check, u, run, initial)
            found.append(coordinate)
            moved += [sentence] if sentence else []
    return Space(tuple(found), tuple(moved))


def _facts(check: Checker, name: str, run: str | None,
           initial: Mapping[str, Mapping[str, float]]) -> tuple[str, float, float, float, str, float]:
    """Unit, value, lower and upper bound, scale and size of what a name stands for."""
    inner = name.partition(".")[2]
    if name.startswith((INITIAL, BIAS)):
        roles = ("state",) if name.startswith(INITIAL) else ("input", "disturbance")
        row = check.known("state" if name.startswith(INITIAL) else "input", inner, *roles)
        if row.shape:
            raise errors.SpecError(f"{name} lies on {row.count} cells. Expected a scalar signal. Make its profile a parameter.")
        s = row.signal
        if name.startswith(BIAS):
            return s.unit, 0.0, -math.inf, math.inf, "linear", abs(s.nominal) or 1.0
        value = float((initial[run] if run is not None else next(iter(initial.values())))[inner])
        return s.unit, value, s.lower, s.upper, "linear", abs(s.nominal) or 1.0
    names = check.parameter_names()
    if name not in names:
        known = [*names, *(f"{INITIAL}{n}" for n in check.rows("state")), *(f"{BIAS}{n}" for n in check.rows("input"))]
        raise errors.unknown("unknown", name, check.name, known)
    field = name.partition("[")[0]
    unit, low, high = parameter_facts(check.model).get(field, ("-", None, None))
    scale = "linear"
    if dataclasses.is_dataclass(check.model):
        scale = next((f.metadata.get("scale", "linear") for f in dataclasses.fields(check.model) if f.name == field), "linear")
    value = float(check.parameters(None)[names.index(name)])
    return unit, value, -math.inf if low is None else low, math.inf if high is None else high, scale, abs(value) or 1.0


def _coordinate(check: Checker, u: Unknown, run: str | None,
                initial: Mapping[str, Mapping[str, float]]) -> tuple[Coordinate, str]:
    unit, value, lower, upper, scale, size = _facts(check, u.name, run, initial)
    label = u.name if run is None else f"{u.name}@{run}"
    what = f"{check.name}.{u.name}"
    if u.bounds is not None:
        low, high = u.bounds
        lower = lower if low is None else number(f"the lower bound of {what}", low, unit)
        upper = upper if high is None else number(f"the upper bound of {what}", high, unit)
    if not lower < upper:
        raise errors.SpecError(f"{what} has the bounds {lower:g} and {upper:g} {unit}. Expected lower < upper.", name=u.name)
    scale = u.scale or scale
    if scale not in SCALES:
        raise errors.SpecError(f"The scale of {what} is {scale!r}. Expected 'linear' or 'log'.", name=u.name)
    if u.start is not None:
        value = number(f"the start of {what}", u.start, unit)
    if not lower <= value <= upper:
        raise errors.out_of_range(f"The start of {what}", value, unit, lower, upper, "Give another start, or wider bounds.")
    prior = None if u.prior is None else _prior(what, u.prior, unit, scale)
    sentence = ""
    if scale == "log":
        if upper <= 0 or value < 0:
            raise errors.SpecError(f"{what} is {value:g} {unit} with the bounds {lower:g} and {upper:g} {unit}. Expected a "
                                   "positive start for a log scale. Use scale='linear'.", name=u.name)
        lower = max(lower, 0.0)
        if value == 0.0:
            value = prior[0] if prior else (1e-3 * upper if math.isfinite(upper) else 1e-3)
            sentence = (f"{label} started at 0 {unit}, which has no logarithm; the fit started at {value:g} {unit} instead.")
    elif u.start is not None and value:
        size = abs(value)
    return Coordinate(label, u.name, run, unit, value, lower, upper, scale, size, prior), sentence


def _prior(what: str, prior: tuple[Any, Any], unit: str, scale: str) -> tuple[float, float]:
    value = number(f"the prior of {what}", prior[0], unit)
    if isinstance(prior[1], str) and prior[1].strip().endswith("%"):
        spread = abs(value) * float(prior[1].strip()[:-1]) / 100
    else:
        spread = number(f"the prior deviation of {what}", prior[1], unit)
    if not (spread > 0 and math.isfinite(value)) or (scale == "log" and value <= 0):
        raise errors.SpecError(f"The prior of {what} is {value:g} with the deviation {spread:g} {unit}. Expected a positive "
                               f"deviation{' and a positive value' if scale == 'log' else ''}.")
    return value, spread
