"""reconcile: measurements adjusted until balances close, with a calibrated test for gross errors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twin import errors
from twin.quality import gross_errors
from twin.quality.gross_errors import GrossError
from twin.status import Status

ITERATIONS = 50
Balance = Mapping[str, float] | Callable[[Any], Any]


@dataclasses.dataclass(frozen=True, eq=False)
class Reconciled:
    """Measurements that fit together.

    Attributes
    ----------
    status, message
        How it ended, and the same in sentences with names and values.
    values
        Reconciled values of all quantities by name, measured or not; NaN where an unmeasured one cannot be found.
    measured, sd
        What was measured, and its standard deviation.
    adjustments
        Reconciled less measured.
    sd_after
        Standard deviation of the reconciled measurements.
    redundant
        True where a measurement is checked by the others.
    statistic, critical, degrees
        Global test: sum of squared adjustments, its critical value, and its degrees of freedom.
    gross
        Gross errors that were found, the most significant first; these measurements were set aside.
    units
        Units by name.
    """

    status: Status
    message: str
    values: Mapping[str, float]
    measured: Mapping[str, float]
    sd: Mapping[str, float]
    adjustments: Mapping[str, float]
    sd_after: Mapping[str, float]
    redundant: Mapping[str, bool]
    statistic: float
    critical: float
    degrees: int
    gross: tuple[GrossError, ...] = ()
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        if name not in self.values:
            raise errors.unknown("quantity", name, "the reconciled data", self.values)
        return self.values[name]

    def to_frame(self) -> Any:
        """DataFrame: one row a quantity with measured and reconciled value, both standard deviations, redundancy."""
        import pandas as pd

        rows = {name: {"measured": self.measured.get(name), "sd": self.sd.get(name), "reconciled": value,
                       "sd after": self.sd_after.get(name), "redundant": self.redundant.get(name, False),
                       "unit": self.units.get(name, "-")} for name, value in self.values.items()}
        return pd.DataFrame.from_dict(rows, orient="index")

    def table(self) -> str:
        """The same as text, with what was found."""
        return "\n".join([self.to_frame().to_string(float_format=lambda v: f"{v:.6g}"), "", self.explain()])

    def explain(self) -> str:
        """What was found, in sentences."""
        return "\n".join([self.message, *(str(g) for g in self.gross)])


def reconcile(measured: Mapping[str, float], sd: Mapping[str, float], *, balances: Mapping[str, Balance] | None = None,
              model: Any = None, inputs: Mapping[str, Any] | None = None, parameters: Mapping[str, Any] | None = None,
              free: Sequence[str] = (), alpha: float = 0.05, set_aside: bool = True,
              units: Mapping[str, str] | None = None) -> Reconciled:
    """Adjust measurements of a steady state, by weighted least squares, until balances close.

    A gross error is looked for with the measurement test: the adjustment of each measurement over its standard deviation.
    The critical value of the greatest one is computed for the correlations of these adjustments, so that data without
    gross error are suspected in a share `alpha` of cases, no more and no less.

    Parameters
    ----------
    measured
        Values by name, averages over a steady period.
    sd
        Standard deviation of each measured value, of the average where it is one.
    balances
        Name -> {quantity: coefficient} that sums to zero ("" is a constant), or a function of the named quantities that is zero.
        Quantities that are not measured are found where the balances allow it.
    model
        In place of balances, a model whose steady state the measurements must be: measured are states, algebraics, inputs,
        disturbances and outputs.
    inputs, parameters
        Inputs, disturbances and parameters of the model that are known exactly; what is measured is adjusted.
    free
        Inputs and disturbances of the model that are neither measured nor known.
    alpha
        Probability of a false alarm.
    set_aside
        True: a measurement with a gross error is set aside and the rest is reconciled again, until nothing is suspected.
        Where two hypotheses explain the data equally well, the error is told and nothing is set aside.
    units
        Units of the quantities by name, for reports; those of the model without.

    Raises
    ------
    SpecError
        Where names, numbers or balances are wrong.
    ConvergenceError
        Where the model or the balances cannot be met near the measurements.

    Examples
    --------
    >>> import twin.quality
    >>> split = {"splitter": {"x0": 1, "x1": -1, "x2": -1}}
    >>> found = twin.quality.reconcile({"x0": 100, "x1": 62, "x2": 40}, {"x0": 2, "x1": 1, "x2": 1}, balances=split)
    >>> [round(v, 4) for v in found.values.values()]
    [101.3333, 61.6667, 39.6667]

    References
    ----------
    Narasimhan, Jordache, Data Reconciliation and Gross Error Detection, Gulf (1999) [textbook]
    """
    import numpy as np

    if (balances is None) == (model is None):
        raise errors.SpecError("reconcile needs balances or a model, and not both.")
    _check(measured, sd, alpha)
    system: Any
    if model is not None:
        from twin.quality.reconciled_model import ModelSystem

        system = ModelSystem(model, measured, inputs, parameters, free)
    else:
        system = BalanceSystem(balances or {}, measured)
    units = {**system.units, **(units or {})}
    kept, gross = list(measured), []
    while True:
        y, s = np.array([float(measured[n]) for n in kept]), np.array([float(sd[n]) for n in kept])
        answer = system.fit(kept, y, s)
        test = gross_errors.Test(answer.rows, y - answer.values, s, alpha)
        suspect = test.suspect()
        if suspect is None:
            break
        alike = [kept[k] for k in test.alike(suspect)]
        name = kept[suspect]
        gross.append(GrossError(name, test.z[suspect], test.critical_z, float(measured[name]),
                                float(measured[name]) - test.size(suspect), units.get(name, "-"),
                                tuple(n for n in alike if n != name)))
        if not set_aside or len(alike) > 1:
            break
        kept = [n for n in kept if n != name]
    return _report(measured, sd, kept, answer, test, gross, units)


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """Reconciled values of the measured quantities, all quantities by name, and independent rows B that any measured values
    free of error satisfy near the answer: B (values - answer) = 0."""

    values: Any
    named: Mapping[str, float]
    rows: Any


class BalanceSystem:
    """Balances as coefficients or functions."""

    def __init__(self, balances: Mapping[str, Balance], measured: Mapping[str, float]) -> None:
        if not balances:
            raise errors.SpecError("reconcile got no balance. Expected at least one.")
        self.balances = balances
        self.linear = not any(callable(b) for b in balances.values())
        known = dict.fromkeys(measured)
        for balance in balances.values():
            known |= {} if callable(balance) else dict.fromkeys(n for n in balance if n)
        for balance in balances.values():
            if callable(balance):
                known |= dict.fromkeys(_asked(balance, known))
        self.names, self.units = list(known), dict[str, str]()
        for name in measured:
            if not any(callable(b) or name in b for b in balances.values()):
                raise errors.SpecError(f"The measured {name} stands in no balance. Expected a quantity of the balances.")

    def fit(self, kept: Sequence[str], y: Any, s: Any) -> Fit:
        """Least squares under the balances, linearized again and again where they are not linear."""
        import numpy as np

        at = [self.names.index(n) for n in kept]
        others = [k for k in range(len(self.names)) if k not in set(at)]
        v = np.ones(len(self.names))
        v[at] = y
        for _ in range(ITERATIONS):
            g, a = self._linearized(v)
            a_m, a_u = a[:, at], a[:, others]
            left = _left_null(a_u)
            rows, right = _independent(left.T @ a_m, left.T @ (a_m @ v[at] - g))
            weighted = rows * s
            values = y - s * (np.linalg.pinv(weighted) @ (rows @ y - right))
            change_u = np.linalg.lstsq(a_u, -(g + a_m @ (values - v[at])), rcond=None)[0] if others else np.zeros(0)
            step = np.concatenate([(values - v[at]) / s, change_u / (1 + np.abs(v[others]))])
            v[at] = values
            v[others] += change_u
            if self.linear or np.max(np.abs(step), initial=0.0) < 1e-11:
                break
        else:
            raise errors.ConvergenceError("The balances could not be met near the measurements. Check names, units and balances.",
                                          status=Status.NOT_CONVERGED)
        named = dict(zip(self.names, (float(x) for x in v), strict=True))
        for j, k in enumerate(others):  # what the balances leave open
            if not _determined(a_u, j):
                named[self.names[k]] = float("nan")
        return Fit(values, named, rows)

    def _linearized(self, v: Any) -> tuple[Any, Any]:
        import numpy as np

        g, a = np.zeros(len(self.balances)), np.zeros((len(self.balances), len(v)))
        for i, (name, balance) in enumerate(self.balances.items()):
            if callable(balance):
                g[i], a[i] = _derivatives(name, balance, self.names, v)
                continue
            for quantity, c in balance.items():
                if quantity:
                    k = self.names.index(quantity)
                    a[i, k] += c
                    g[i] += c * v[k]
                else:
                    g[i] += c
        return g, a


def _asked(balance: Callable[[Any], Any], known: Mapping[str, Any]) -> list[str]:
    """Names that a function asks for."""
    seen: dict[str, None] = {}

    class Spy:
        def __getattr__(self, name: str) -> float:
            seen[name] = None
            return 1.0

        __getitem__ = __getattr__

    balance(Spy())
    return list(seen)


def _derivatives(name: str, balance: Callable[[Any], Any], names: Sequence[str], v: Any) -> tuple[float, Any]:
    """Value and gradient of a balance, by JAX."""
    import jax
    import numpy as np

    from twin.values import Values

    def flat(x: Any) -> Any:
        return balance(Values(f"the balance {name}", dict(zip(names, x, strict=True))))

    with jax.enable_x64(True):
        value, gradient = jax.value_and_grad(flat)(np.asarray(v, dtype=float))
        return float(value), np.asarray(gradient)


def _left_null(a: Any) -> Any:
    """Orthonormal columns N with N' a = 0."""
    import numpy as np

    if not a.shape[1]:
        return np.eye(a.shape[0])
    u, s, _ = np.linalg.svd(a)
    return u[:, int((s > 1e-9 * max(s.max(initial=0.0), 1e-300)).sum()):]


def _independent(rows: Any, right: Any) -> tuple[Any, Any]:
    """The same equations without those that follow from the others."""
    import numpy as np

    u, s, vt = np.linalg.svd(rows, full_matrices=False)
    keep = s > 1e-9 * max(s.max(initial=0.0), 1e-300)
    return vt[keep], (u[:, keep].T @ right) / s[keep]


def _determined(a: Any, j: int) -> bool:
    """True where a x = b fixes x[j]."""
    import numpy as np

    _, s, vt = np.linalg.svd(a)
    rank = int((s > 1e-9 * max(s.max(initial=0.0), 1e-300)).sum())
    return bool(np.max(np.abs(vt[rank:, j]), initial=0.0) < 1e-9)


def _check(measured: Mapping[str, float], sd: Mapping[str, float], alpha: float) -> None:
    import math

    if not measured:
        raise errors.SpecError("reconcile got no measurement.")
    for name, value in measured.items():
        if not math.isfinite(float(value)):
            raise errors.SpecError(f"The measured {name} is {value}. Expected a finite number; leave out what was not measured.")
        if name not in sd:
            raise errors.SpecError(f"The standard deviation of {name} is missing. Give sd={{'{name}': ...}}.")
        if not (math.isfinite(float(sd[name])) and float(sd[name]) > 0):
            raise errors.SpecError(f"The standard deviation of {name} is {sd[name]}. Expected a number above 0.")
    for name in sd:
        if name not in measured:
            raise errors.unknown("measurement", name, "sd", measured)
    if not 0 < alpha < 1:
        raise errors.SpecError(f"alpha is {alpha:g}. Expected a probability between 0 and 1.")


def _report(measured: Mapping[str, float], sd: Mapping[str, float], kept: Sequence[str], answer: Fit, test: gross_errors.Test,
            gross: list[GrossError], units: Mapping[str, str]) -> Reconciled:
    adjustments = {n: answer.named[n] - float(measured[n]) for n in measured}
    after = dict(zip(kept, (float(v) for v in test.sd_after), strict=True))
    redundant = dict(zip(kept, (bool(v) for v in test.redundant), strict=True)) | {g.name: True for g in gross}
    text = f"{len(kept)} of {len(measured)} measurements reconciled with {test.degrees} redundant relations; "
    text += f"sum of squared adjustments {test.statistic:.4g}, critical {test.critical:.4g}."
    single = [n for n in kept if not redundant[n]]
    if single:
        text += f" Checked by nothing else: {', '.join(single)}."
    if gross and not any(g.alike for g in gross):
        text += " Measurements with gross errors were set aside." if len(kept) < len(measured) else ""
    return Reconciled(Status.SUCCESS, text, answer.named, {n: float(v) for n, v in measured.items()},
                      {n: float(v) for n, v in sd.items()}, adjustments, after, redundant, test.statistic, test.critical,
                      test.degrees, tuple(gross), units)
