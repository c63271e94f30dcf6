"""Ledger of energy and CO2: activities times factors, by scope, product and period, with where each kilogram comes from."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors, units
from twin.ledger.factors import Factor, Factors, emission_factors

COUNTED = ("1", "2")
SHARED = "not allocated"


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Activity:
    """What was burnt, bought or decomposed: one meter reading, or a series of them.

    Attributes
    ----------
    name
        What did it, such as "furnace fuel".
    factor
        Name of the emission factor.
    amount, unit
        An amount or a rate in `unit` ("GJ", "t", "MW", "Nm3/h"): a number, an array with one value a period, or text such as
        "12 GJ". A single amount is spread evenly over the periods, a rate held.
    product
        Which product it belongs to: a name, {name: share} with sum 1, or None: shared by all in proportion to production.
    uncertainty
        Standard uncertainty of the meter as a share, 0 to 1. All readings of a meter err together.
    meter
        Which meter; the name of the activity if "".
    market
        For electricity: the factor of the contract; that figure is reported beside the total (scope "2 market").

    Examples
    --------
    >>> Activity(name="furnace fuel", factor="natural gas", amount=258.0, unit="GJ", uncertainty=0.01).amount
    258.0
    """

    name: str
    factor: str
    amount: Any
    unit: str = ""
    product: str | Mapping[str, float] | None = None
    uncertainty: float = 0.0
    meter: str = ""
    market: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.amount, str):
            number, _, unit = self.amount.strip().partition(" ")
            try:
                object.__setattr__(self, "amount", float(number))
            except ValueError:
                raise errors.UnitError(f"'{self.name}' is {self.amount!r}. Expected a number and a unit, as in '12 "
                                       f"GJ'.") from None
            object.__setattr__(self, "unit", unit)
        if not self.unit:
            raise errors.UnitError(f"'{self.name}' has no unit. Expected one such as 'GJ', 't' or 'MW'.")
        units.check(self.unit, f"'{self.name}'")
        if not 0 <= self.uncertainty <= 1:
            raise errors.out_of_range(f"The uncertainty of '{self.name}'", self.uncertainty, "-", 0, 1,
                                      "Give a share: 0.02 is 2 %.")
        if isinstance(self.product, Mapping):
            shares = list(self.product.values())
            if not math.isclose(sum(shares), 1.0, abs_tol=1e-9) or min(shares, default=-1.0) < 0:
                raise errors.SpecError(f"The shares of '{self.name}' are "
                                       f"{', '.join(f'{k} {v:g}' for k, v in self.product.items())}, in "
                                       f"sum {sum(shares):g}. Expected shares from 0 to 1 with sum 1.")


@dataclasses.dataclass(frozen=True, eq=False)
class Line:
    """Part of an activity that belongs to one product, under one version of its factor.

    Attributes
    ----------
    activity, factor, product, scope
        Whose, by which row, for which product, and where it counts ("1", "2", "2 market", "memo").
    amount, unit
        Of the activity; rates are multiplied with the length of a period. A numpy array over the periods.
    co2, energy
        In kg and GJ: numpy arrays over the periods.
    """

    activity: Activity
    factor: Factor
    product: str
    scope: str
    amount: Any
    unit: str
    co2: Any
    energy: Any


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Ledger:
    """Energy and CO2 of a stretch of time; made by `twin.account`.

    Attributes
    ----------
    lines
        All `Line` records.
    production
        Amount of each product over all periods, in `production_unit`.
    production_unit
        "t", "pieces" and so on.
    start, hours
        Time of the first period (None: not known), and length of a period.
    notes
        What was assumed, as sentences.
    """

    lines: tuple[Line, ...]
    production: Mapping[str, float]
    production_unit: str
    start: dt.datetime | None
    hours: float
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Ledger({self.co2:.6g} kg CO2, standard uncertainty {self.uncertainty:.2g} kg, {self.energy:.6g} GJ)"

    @property
    def co2(self) -> float:
        """Scopes 1 and 2 together, kg; electricity by place, not by contract."""
        return float(self._sum(self._counted())[0])

    @property
    def uncertainty(self) -> float:
        """Standard uncertainty of `co2`, kg."""
        return float(self._sum(self._counted())[1])

    @property
    def energy(self) -> float:
        """Energy of fuels, electricity and heat bought, GJ."""
        return float(self._sum(self._counted())[2])

    def by_scope(self) -> Any:
        """DataFrame: one row a scope, with `co2_kg`, `uncertainty_kg`, `energy_gj`; "total" is 1 and 2."""
        rows = {f"scope {s}" if s[0] in COUNTED else s: self._sum([x for x in self.lines if x.scope == s])
                for s in ("1", "2", "2 market", "memo") if any(x.scope == s for x in self.lines)}
        return self._frame(rows | {"total": self._sum(self._counted())}, "scope")

    def by_product(self) -> Any:
        """DataFrame: one row a product, with the totals, and `co2_kg_per_unit` and its uncertainty where production is known."""
        import numpy as np

        names = dict.fromkeys((*self.production, *(x.product for x in self.lines)))
        frame = self._frame({n: self._sum([x for x in self._counted() if x.product == n]) for n in names}, "product")
        made = np.array([self.production.get(n, np.nan) for n in names], dtype=float)
        frame["production"] = made
        frame["co2_kg_per_unit"] = frame["co2_kg"] / made
        frame["uncertainty_kg_per_unit"] = frame["uncertainty_kg"] / made
        return frame

    def by_period(self) -> Any:
        """DataFrame: one row a period (an hour, unless stated otherwise), from `start` where it is known, else by hours."""
        import numpy as np
        import pandas as pd

        co2, spread, energy = self._sum(self._counted(), over=False)
        n = len(np.atleast_1d(co2))
        at = [k * self.hours for k in range(n)] if self.start is None else [self.start + dt.timedelta(hours=k * self.hours)
                                                                             for k in range(n)]
        index = pd.Index(at, name="from [h]" if self.start is None else "from")
        return pd.DataFrame({"co2_kg": co2, "uncertainty_kg": spread, "energy_gj": energy}, index=index)

    def by_activity(self) -> Any:
        """DataFrame: one row an activity and scope."""
        import pandas as pd

        keys = dict.fromkeys((x.activity.name, x.scope) for x in self.lines)
        rows = [self._sum([x for x in self.lines if (x.activity.name, x.scope) == k]) for k in keys]
        index = pd.MultiIndex.from_tuples(list(keys), names=["activity", "scope"])
        return pd.DataFrame(rows, index=index, columns=["co2_kg", "uncertainty_kg", "energy_gj"])

    def to_frame(self) -> Any:
        """DataFrame of all lines and periods, with value, unit, version and source of each factor."""
        import numpy as np
        import pandas as pd

        times = list(self.by_period().index)
        made = [pd.DataFrame({"from": times, "activity": x.activity.name, "product": x.product, "scope": x.scope,
                              "amount": x.amount,
                              "unit": x.unit, "factor": x.factor.name, "value": x.factor.value, "per": x.factor.unit,
                              "valid_from": x.factor.valid_from, "co2_kg": x.co2, "energy_gj": x.energy,
                              "source": x.factor.source})[np.asarray(x.amount) != 0] for x in self.lines]
        return pd.concat(made, ignore_index=True)

    def table(self) -> str:
        """Scopes, products and activities as text."""
        shown = [self.by_scope(), self.by_product(), self.by_activity()]
        return "\n\n".join(f.to_string(float_format=lambda v: f"{v:.5g}", na_rep="-") for f in shown)

    def explain(self) -> str:
        """Where each kilogram comes from, a sentence an activity and factor."""
        found = []
        for key in dict.fromkeys((x.activity.name, x.factor.key, x.scope) for x in self.lines):
            own = [x for x in self.lines if (x.activity.name, x.factor.key, x.scope) == key]
            activity, factor = own[0].activity, own[0].factor
            where = {"memo": "beside the scopes"}.get(own[0].scope, f"scope {own[0].scope}")
            energy = f" ({self._sum(own)[2]:.6g} GJ)" if self._sum(own)[2] and own[0].unit != "GJ" else ""
            shares = [f"{n} {sum(float(x.co2.sum()) for x in own if x.product == n):.5g} "
                      f"kg" for n in dict.fromkeys(x.product for x in own)]
            found.append(f"{activity.name}: {sum(float(x.amount.sum()) for x in own):.6g} {own[0].unit}{energy} at "
                         f"{factor.value:g} "
                         f"{factor.unit} of '{factor.name}' = {self._sum(own)[0]:.6g} kg CO2 ({where}); factor of {factor.year}, "
                         f"+-{100 * factor.uncertainty:.2g} %, meter +-{100 * activity.uncertainty:.2g} %. {factor.source}. "
                         f"For: {', '.join(shares)}.")
        return "\n".join([*found, *self.notes])

    def against(self, reference: Ledger) -> Ledger:
        """This ledger minus a reference: what was saved is negative. Factors and meters of the same name err together in both.

        Raises
        ------
        twin.errors.SpecError
            Where the two have other periods or production.
        """
        mine, other = (len(x.lines[0].co2) for x in (self, reference))
        if mine != other or self.hours != reference.hours:
            raise errors.SpecError(f"The ledgers have {mine} periods of {self.hours:g} h and {other} of {reference.hours:g} h. "
                                   f"Expected "
                                   "the same, to compare like with like.")
        for name in dict.fromkeys((*self.production, *reference.production)):
            a, b = self.production.get(name, 0.0), reference.production.get(name, 0.0)
            if not math.isclose(a, b, rel_tol=1e-6):
                raise errors.SpecError(f"Production of {name} is {a:g} {self.production_unit} here and {b:g} "
                                       f"{reference.production_unit} in the reference. "
                                       "Expected the same. Else compare by_product() a unit.")
        less = tuple(dataclasses.replace(x, amount=-x.amount, co2=-x.co2, energy=-x.energy) for x in reference.lines)
        return dataclasses.replace(self, lines=(*self.lines, *less), notes=(*self.notes,
                                                                            "Amounts of the reference are taken off."))

    def plot(self) -> Any:
        """Figure: CO2 by activity over the periods (or as bars where there is one), and by product."""
        from twin.ledger.pictures import draw

        return draw(self)

    def _counted(self) -> list[Line]:
        return [x for x in self.lines if x.scope in COUNTED]

    @staticmethod
    def _sum(lines: Sequence[Line], over: bool = True) -> tuple[Any, Any, Any]:
        """CO2, its standard uncertainty, and energy of some lines; over=False: in each period.

        What one factor or one meter makes is added first, for it errs alike everywhere; then the squares of all are added.
        """
        import numpy as np

        if not lines:
            return 0.0, 0.0, 0.0
        together: dict[tuple[str, str], list[Any]] = {}
        for x in lines:
            for key, share in ((("factor", x.factor.key), x.factor.uncertainty),
                               (("meter", x.activity.meter or x.activity.name), x.activity.uncertainty)):
                together.setdefault(key, []).append(share * x.co2)

        def total(rows: list[Any]) -> Any:  # without rounding: what is taken off again leaves zero
            return math.fsum(np.concatenate(rows)) if over else np.sum(rows, axis=0)

        spread = np.sqrt(np.sum([total(rows) ** 2 for rows in together.values()], axis=0))
        return total([x.co2 for x in lines]), spread, total([x.energy for x in lines])

    @staticmethod
    def _frame(rows: Mapping[str, Any], name: str) -> Any:
        import pandas as pd

        return pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name=name),
                            columns=["co2_kg", "uncertainty_kg", "energy_gj"])


def account(activities: Sequence[Activity], *, production: Mapping[str, Any] | None = None, production_unit: str = "t",
            factors: Factors | None = None, start: dt.datetime | str | None = None, every: float | str = 1.0) -> Ledger:
    """Energy and CO2 of activities.

    Parameters
    ----------
    activities
        `Activity` records; series have one value a period. `twin.activities` makes them from runs, schedules and tables.
    production
        {product: amount}, a number in `production_unit`, text such as "200 t", or an array over the periods.
    production_unit
        Unit of production.
    factors
        Emission factors; None: `twin.emission_factors()`.
    start
        Begin of the first period. Each period takes the version of a factor that holds on its day. None: the newest version.
    every
        Length of a period: hours, or text such as "15 min".

    Returns
    -------
    Ledger
        Scopes 1 and 2 and biogenic carbon, by product and period, with uncertainty.

    Raises
    ------
    twin.errors.SpecError, twin.errors.UnitError
        For a factor that is missing or out of date, a unit that does not fit, a negative or missing amount, a product that is
        not in `production`.

    Notes
    -----
    Standard uncertainties to first order (GUM): what one factor, and what one meter, makes is added up before it is squared;
    different factors and meters are independent. Production counts as exact.

    Examples
    --------
    >>> fuel = Activity(name="furnace fuel", factor="natural gas", amount=258.0, unit="GJ", uncertainty=0.01)
    >>> account([fuel], production={"slabs": "200 t"})
    Ledger(14473.8 kg CO2, standard uncertainty 3e+02 kg, 258 GJ)
    """
    import numpy as np

    if not activities:
        raise errors.SpecError("The ledger got no activities. Expected one at least.")
    table = emission_factors() if factors is None else factors
    hours = units.to_model_unit("every", every, "h")
    if not hours > 0:
        raise errors.out_of_range("every", hours, "h", 0, None, "Give the length of a period.")
    first = None if start is None else start if isinstance(start, dt.datetime) else _time(start)
    count = max(np.size(a.amount) for a in activities)
    made = {n: float(np.sum([units.to_model_unit(f"production of {n}", v, production_unit) for v in np.atleast_1d(a)]))
            for n, a in (production or {}).items()}
    for n, amount in made.items():
        if not (math.isfinite(amount) and amount > 0):
            raise errors.out_of_range(f"The production of {n}", amount, production_unit, 0, None, "Give what was made, above 0.")
    lines, split = [], False
    days = [None] if first is None else [(first + dt.timedelta(hours=k * hours)).date() for k in range(count)]
    for a in activities:
        amounts = _amounts(a, count)
        shares = _shares(a, made)
        split = split or (a.product is None and len(made) > 1)
        for name, scope in ((a.factor, None), (a.market, "2 market")):
            if not name:
                continue
            rows = [table.at(name, day) for day in days]
            if scope and rows[0].kind != "electricity":
                raise errors.SpecError(f"'{a.name}' has the market factor '{name}' of kind {rows[0].kind}. Expected one for "
                                       f"electricity.")
            for row in dict.fromkeys(rows):
                co2, energy, rate = row.of_one(a.unit, hours, f"'{a.name}'")
                here = amounts if first is None else amounts * np.array([r is row for r in rows], dtype=float)
                if np.size(a.amount) == 1 and not rate:
                    here = here / count
                lines += [Line(a, row, p, scope or row.scope, here * s * (hours if rate else 1.0),
                               _held(a.unit) if rate else a.unit,
                               here * s * co2, here * s * (0.0 if scope else energy)) for p, s in shares.items()]
    notes = (*(["No start is known: each factor is the newest version."] if first is None else []),
             *(["What belongs to no product is shared in proportion to production."] if split else []))
    return Ledger(tuple(lines), made, production_unit, first, hours, notes)


def _amounts(a: Activity, count: int) -> Any:
    """One value a period, checked."""
    import numpy as np

    values = np.asarray(a.amount, dtype=float)
    if values.ndim > 1 or values.size not in (1, count):
        raise errors.SpecError(f"'{a.name}' has the shape {values.shape}. Expected one value, or one for each of the {count} "
                               f"periods.")
    for bad, word in ((~np.isfinite(values), "not a finite number"), (values < 0, "negative")):
        if np.any(bad):
            k = int(np.argmax(np.atleast_1d(bad)))
            raise errors.SpecError(f"'{a.name}' is {np.atleast_1d(values)[k]:g} {a.unit} in period {k}: {word}. Expected 0 or "
                                   f"above. "
                                   "State what is given back as an activity of its own, with a factor of kind 'retained'.")
    return np.broadcast_to(values, (count,)).astype(float)


def _shares(a: Activity, production: Mapping[str, float]) -> dict[str, float]:
    """Share of each product."""
    if a.product is None:
        total = sum(production.values())
        return {n: v / total for n, v in production.items()} or {SHARED: 1.0}
    shares = {a.product: 1.0} if isinstance(a.product, str) else dict(a.product)
    for name in shares:
        if production and name not in production:
            raise errors.unknown("product", name, f"'{a.name}'", production)
    return shares


def _time(text: str) -> dt.datetime:
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError:
        raise errors.SpecError(f"start is {text!r}. Expected a time such as '2025-03-01 06:00'.") from None


def _held(rate: str) -> str:
    """Unit of a rate held for an hour."""
    return rate[:-2] if rate.endswith("/h") else f"{rate} h"
