"""Standard deviation of each sample: stated, or estimated from the residuals of each signal."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from twin import errors
from twin.calibration.residuals import Rows
from twin.simulation.checks import Checker, number

EQUAL = "equal"


class Noise:
    """Standard deviations of all samples.

    Parameters
    ----------
    model
        The model: it gives the units.
    rows
        The samples.
    stated
        None: one standard deviation a signal, estimated. "equal": all samples count alike, in their units (ordinary least
        squares); their common deviation is estimated. {signal: deviation}: a number in the unit of the signal, a string
        with unit, a share of the value ("3 %"), or (absolute, relative); signals not named are estimated.
    """

    def __init__(self, model: Any, rows: Rows, stated: Any) -> None:
        import numpy as np

        if stated is not None and stated != EQUAL and not isinstance(stated, Mapping):
            raise errors.SpecError(f"noise is {stated!r}. Expected {{signal: standard deviation}}, '{EQUAL}', or None.")
        self.rows, self.equal = rows, stated == EQUAL
        self.sigma = np.ones(len(rows))
        self.estimated: dict[str, float] = {}
        self.floors: dict[str, float] = {}
        given = stated if isinstance(stated, Mapping) else {}
        for name in given:
            if name not in rows.signals:
                raise errors.unknown("measured signal", name, Checker(model).name, rows.signals)
        units = {s.name: s.unit for s in model.signals}
        for k, name in enumerate(rows.signals):
            mine = rows.signal == k
            y = rows.value[mine]
            if name in given:
                self.sigma[mine] = _stated(name, given[name], units[name], y)
            elif not self.equal:
                size = float(np.std(y)) or float(np.abs(y).max()) or 1.0
                self.estimated[name] = 0.1 * size
                self.floors[name] = 1e-7 * size
                self.sigma[mine] = self.estimated[name]

    @property
    def mean(self) -> dict[str, float]:
        """Root mean square deviation of each signal, in its unit."""
        import numpy as np

        return {n: float(np.sqrt(np.mean(self.sigma[self.rows.signal == k] ** 2))) for k, n in enumerate(self.rows.signals)}

    def fixed(self, sigma: Any) -> Noise:
        """The same samples with these deviations, which stay as they are."""
        other = copy.copy(self)
        other.sigma, other.estimated = sigma.copy(), {}
        return other

    def update(self, residuals: Any, leverage: Any, robust: bool) -> float:
        """Estimate anew from raw residuals and their leverages, shape (m,); largest change of a logarithm."""
        import numpy as np

        largest = 0.0
        for name, old in self.estimated.items():
            mine = self.rows.signal == self.rows.signals.index(name)
            r, free = residuals[mine], float(mine.sum() - leverage[mine].sum())
            if free < 0.5:
                continue
            if robust:
                new = 1.4826 * float(np.median(np.abs(r))) * float(np.sqrt(mine.sum() / free))
            else:
                new = float(np.sqrt(r @ r / free))
            new = max(new, self.floors[name])
            largest = max(largest, abs(float(np.log(new / old))))
            self.estimated[name] = new
            self.sigma[mine] = new
        return largest


def _stated(name: str, given: Any, unit: str, y: Any) -> Any:
    import numpy as np

    parts = given if isinstance(given, tuple | list) else (given,)
    square = np.zeros(len(y))
    for part in parts:
        if isinstance(part, str) and part.strip().endswith("%"):
            share = float(part.strip()[:-1]) / 100
            square += (share * np.maximum(np.abs(y), 0.01 * np.abs(y).max(initial=0.0))) ** 2
        else:
            from twin import units

            value = units.convert(*_split(part), unit, difference=True, name=f"noise of {name}") if isinstance(part, str) else (
                number(f"noise of {name}", part, unit))
            square += float(value) ** 2
    if not np.all(square > 0) or not np.all(np.isfinite(square)):
        raise errors.SpecError(f"The noise of {name} is {given!r}. Expected a positive standard deviation in {unit}, or a "
                               "share such as '3 %'.", name=name)
    return np.sqrt(square)


def _split(text: str) -> tuple[float, str]:
    value, _, unit = text.strip().partition(" ")
    return float(value), unit
