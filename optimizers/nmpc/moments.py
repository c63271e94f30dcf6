"""What a step is told, read into numbers: estimates, targets, limits and forecasts by name."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping
from typing import Any

from optimizers.dynamic.plan import Limit
from optimizers.dynamic.reading import limit_of, places
from optimizers.nmpc.formulation import Moment
from optimizers.nmpc.statement import MEASURED, Statement, target_of
from twin import errors
from twin.recipe import Profile

CLOSE = 1e-6  # of a nominal size: a limit exceeded by less is moved to the state, so that rounding makes nothing infeasible


@dataclasses.dataclass(frozen=True)
class Known:
    """Places and units by name, looked up once."""

    states: Mapping[str, Any]
    n_x: int
    parameters: Mapping[str, int]
    units: Mapping[str, str]



class Reader:
    """Reads what a step is told; raises SpecError where it cannot be understood."""

    def __init__(self, statement: Statement, parameters: Any, sampled: Collection[str]) -> None:
        self.statement, self.parameters, self.sampled = statement, parameters, sampled
        check = statement.check
        self.known = Known({n: r.where for n, r in check.rows("state").items()}, check.model.size("state"),
                           {n: k for k, n in enumerate(check.parameter_names())},
                           {n: r.signal.unit for n, r in check.rows("input", "disturbance").items()})

    def moment(self, time: float, before: Any, estimate: Mapping[str, Any], targets: Mapping[str, Any],
               limits: Mapping[str, Any], inputs: Mapping[str, Any]) -> Moment:
        """What this step is about, in numbers; raises SpecError where it cannot be told."""
        import numpy as np

        st, known = self.statement, self.known
        missing = [n for n in known.states if n not in estimate]
        if missing:
            raise errors.SpecError(f"The estimate holds no value of {', '.join(missing)}.")
        x = np.empty(known.n_x)
        given, parameters, own = st.given, self.parameters, {}
        for name, value in estimate.items():
            if name in known.states:
                x[known.states[name]] = value
            elif name in given:
                own[name] = float(value)
            elif name in known.parameters and name not in self.sampled:
                parameters = parameters.copy() if parameters is self.parameters else parameters
                parameters[:, known.parameters[name]] = float(value)
        if not np.isfinite(x).all() or not all(map(math.isfinite, own.values())) or (
                parameters is not self.parameters and not np.isfinite(parameters).all()):
            bad = [n for n, at in known.states.items() if not np.isfinite(x[at]).all()]
            bad += [n for n, v in own.items() if not math.isfinite(v)]
            raise errors.SpecError(f"The estimate of {', '.join(bad) or 'a parameter'} is not a number.")
        for name, value in inputs.items():
            if name not in given:
                raise errors.unknown("given input", name, st.check.name, given)
            own[name] = self._series(f"the input {name}", value, known.units[name])
        aims = [t.target for t in st.tracked]
        where = {t.place.name: j for j, t in enumerate(st.tracked)}
        for name, value in targets.items():
            if name not in where:
                raise errors.unknown("tracked signal", name, st.check.name, where)
            aims[where[name]] = self._series(f"the target of {name}", value, st.tracked[where[name]].place.unit)
        merged = {**given, **own} if own else given
        moved = self._moved_limits(limits) if limits else {}
        said = self._touched(x, time, moved)
        sides = [v for k in (*st.limits, *moved.values()) for v in (k.lower, k.upper)]
        moving = any(not isinstance(v, float) for v in (*aims, *merged.values(), *sides))
        return Moment(time, x, before, aims, merged, parameters, moved, moving, 1.0, said)

    def _touched(self, x: Any, time: float, moved: dict[int, Limit]) -> tuple[str, ...]:
        """Hard limits that the state exceeds by rounding are moved to it; what was moved, in sentences."""
        said = []
        for i, k in enumerate(self.statement.limits):
            if k.price is not None or k.place.role != "state" or k.phase is not None:
                continue
            k, value, room = moved.get(i, k), x[k.place.index], CLOSE * k.place.size
            low, high = k.sides(time)
            for side, over in (("lower", low - value), ("upper", value - high)):
                if 0 < over <= room and isinstance(getattr(k, side), float):
                    moved[i] = k = dataclasses.replace(k, **{side: value + (over if side == "upper" else -over)})
                    said.append(f"{k.place.name} is beyond its {side} limit by {over:.2g} {k.place.unit}; the limit was moved.")
        return tuple(said)

    def _series(self, label: str, value: Any, unit: str) -> Any:
        """A number, a profile, or one number a step."""
        import numpy as np

        if isinstance(value, Profile | str | int | float):
            return target_of(label, value, unit)
        array = np.asarray(value, dtype=float)
        if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
            raise errors.SpecError(f"{label} is {value!r}. Expected a number, a Profile, or finite numbers, one a step.")
        return array

    def _moved_limits(self, limits: Mapping[str, Any]) -> dict[int, Limit]:
        """Limits of this step by the position of those they replace."""
        st = self.statement
        found: dict[int, Limit] = {}
        for name, given in limits.items():
            for place in places(st.check, name, *MEASURED):
                own = [i for i, k in enumerate(st.limits) if k.place == place and k.phase is None]
                if not own:
                    raise errors.SpecError(f"The controller has no limit on {name} to be moved. Give it one from the start.")
                new = limit_of(st.check, place, given, None, place.name)
                for i in own:
                    if (st.limits[i].price is None) == (new.price is None) or len(own) == 1:
                        found[i] = dataclasses.replace(st.limits[i], lower=new.lower, upper=new.upper)
        return found
