"""Setpoints: the best steady state of a model within limits, as data."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

Pair = tuple[float | str | None, float | str | None]


@dataclasses.dataclass(frozen=True, eq=False)
class Setpoints:
    """The inputs at which a model is best at steady state, within limits.

    Works for a `SteadyModel` and for the steady states of a `DynamicModel`. Numbers are in the units of the model; text with a
    unit ("90 degC") is converted. The physical limits that signals declare hold as well.

    Parameters
    ----------
    model
        What is optimized.
    maximize, minimize
        One of the two: the name of an output or any other signal, or {name: weight} for a weighted sum.
    moves
        Inputs to be found: a name, names, or {name: (lower, upper)}; all inputs that are not given in `inputs` without. Bounds
        are those of the signals where none are given.
    inputs
        Inputs and disturbances that are given; disturbances are at their nominal values without.
    parameters
        Parameters that differ from those of the model.
    limits
        {signal: (lower, upper)} with None for no limit, a number for a value that is held, or
        `twin.soft(lower, upper, price=...)`.
    unit
        Unit of a weighted sum, for reports.

    Options of `solve`
    ------------------
    starts
        Number of searches (4); the further ones start from inputs that fill the bounds evenly.
    sensitivity
        Names of parameters, disturbances and given inputs for which the derivatives of the optimum are found.
    solver
        "engine" (the interior-point method of the library), "slsqp" (of SciPy, as a reference), or "reduced": SLSQP in the moved
        inputs only, while the steady state follows them; it is used above 200 unknowns, where it is much faster, and checks
        the physical limits of states where the others impose them.

    Raises
    ------
    twin.errors.SpecError
        A name, unit or value is wrong.

    Examples
    --------
    >>> import optimizers
    >>> from processes.chemical import WilliamsOtto
    >>> best = optimizers.solve(optimizers.Setpoints(WilliamsOtto(), maximize="profit"))
    >>> round(best.objective, 3), round(best["feed_b"], 4), round(best["t_reactor"], 3)
    (190.98, 4.7874, 89.704)
    """

    solved_by: ClassVar[str] = "optimizers.steady.setpoint_solving"

    model: Any
    _: dataclasses.KW_ONLY
    maximize: str | Mapping[str, float] | None = None
    minimize: str | Mapping[str, float] | None = None
    moves: str | Sequence[str] | Mapping[str, Pair] = ()
    inputs: Mapping[str, float | str] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, float | str] = dataclasses.field(default_factory=dict)
    limits: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    unit: str = ""
