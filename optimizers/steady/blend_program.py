"""A blend as a linear program: columns for amounts, one row a limit."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from optimizers.backends.linear import LinearProgram
from optimizers.steady.forms import Form, Quotient
from twin import units

Coefficients = dict[int, float]


@dataclasses.dataclass(frozen=True, eq=False)
class LimitRow:
    """One side of a limit: over - limit x under (- excess) within the row's bounds; an excess column makes it soft."""

    product: str
    name: str
    side: str
    limit: float
    row: int
    over: Mapping[int, float]
    under: Mapping[int, float]
    excess: int = -1
    price: float = math.inf

    def under_at(self, x: Any) -> float:
        """Value of the denominator at an answer."""
        return sum(c * float(x[k]) for k, c in self.under.items())

    def excess_at(self, x: Any) -> float:
        """By how much the numerator of an answer goes beyond limit x denominator."""
        beyond = sum(c * float(x[k]) for k, c in self.over.items()) - self.limit * self.under_at(x)
        return max(beyond if self.side == "upper" else -beyond, 0.0)


@dataclasses.dataclass(frozen=True, eq=False)
class BlendProgram:
    """The program and where its parts lie.

    `material` and `product` are columns of amounts by name; `use[product][material]` are the columns that bring a material
    into a product; `share[pool][material]`, `flow[pool][product]` and `part[pool][product][material]` belong to pools.
    """

    program: LinearProgram
    material: dict[str, int]
    product: dict[str, int]
    use: dict[str, dict[str, Coefficients]]
    direct: dict[str, dict[str, int]]
    share: dict[str, dict[str, int]]
    flow: dict[str, dict[str, int]]
    part: dict[str, dict[str, dict[str, int]]]
    limits: list[LimitRow]
    capacity: dict[str, int]


def assemble(blend: Any) -> BlendProgram:
    """The linear rows of a blend; the bilinear ones of pools are left to `blend_pools`."""
    lp = LinearProgram()
    prices = effective_prices(blend)
    material = {name: lp.column(name, *_amount(blend, name, m.amount), cost=prices[name])
                for name, m in blend.materials.items()}
    product = {name: lp.column(name, *_amount(blend, name, p.amount), cost=-p.price * (not _goal(blend)))
               for name, p in blend.products.items()}
    found = BlendProgram(lp, material, product, {}, {}, {}, {}, {}, [], {})
    for name, p in blend.products.items():
        sources = [*blend.materials, *blend.pools] if p.sources is None else list(p.sources)
        found.direct[name] = {s: lp.column(f"{s} -> {name}") for s in sources if s in blend.materials}
        found.use[name] = {s: {k: 1.0} for s, k in found.direct[name].items()}
    for pool in blend.pools:
        _pool(blend, found, pool)
    for name in blend.materials:
        used = _sum((use[name], -1.0) for use in found.use.values() if name in use)
        lp.row(f"{name} is used", {material[name]: 1.0} | used, 0.0, 0.0)
    for name in blend.products:
        made = _sum((c, -m_dry(blend, s)) for s, c in found.use[name].items())
        lp.row(f"{name} is made", {product[name]: 1.0} | made, 0.0, 0.0)
    known = blend.forms
    for name, p in blend.products.items():
        for quantity, given in p.limits.items():
            _limit(blend, found, name, quantity, given, known[quantity])
    return found


def m_dry(blend: Any, material: str) -> float:
    """Product from one unit of a material as delivered."""
    m = blend.materials[material]
    return float(m.dry * m.yields)


def effective_prices(blend: Any) -> dict[str, float]:
    """What one unit of each material, as delivered, adds to what is minimized."""
    goal, known = _goal(blend), blend.forms
    sign = -1.0 if blend.maximize else 1.0
    found = {}
    for name, m in blend.materials.items():
        if goal in blend.materials:
            found[name] = sign * (name == goal)
        elif goal:
            found[name] = sign * _carried(blend, known[goal], name)
        else:
            charged = sum(charge(blend, q, value) * m.dry * m.qualities[q] for q, value in blend.charges.items())
            found[name] = m.price + charged
    return found


def charge(blend: Any, quality: str, value: Any) -> float:
    """A charge as money per (quality unit x amount unit)."""
    if not isinstance(value, str):
        return float(value)
    number, _, unit = value.strip().partition(" ")
    what = f"({unit}) * ({_spelled(blend.unit(quality))}) * ({blend.amount_unit})"
    return float(number) * units.factor(what, blend.money, f"The charge for {quality}")


def _spelled(unit: str) -> str:
    return {"%": "percent", "-": "dimensionless"}.get(unit, unit)


def _goal(blend: Any) -> str:
    goal = blend.minimize or blend.maximize
    return "" if goal == "cost" else str(goal)


def _amount(blend: Any, name: str, amount: Any) -> tuple[float, float]:
    low, high = blend.bounds(f"The amount of {name}", amount)
    return max(low, 0.0), high


def _carried(blend: Any, form: Form, material: str) -> float:
    """What one unit of a material, as delivered, brings of a linear form times the amount of product."""
    m = blend.materials[material]
    return float(m.dry * (sum(c * m.qualities[q] for q, c in form.terms.items()) + form.constant * m.yields))


def _sum(parts: Any) -> Coefficients:
    total: Coefficients = {}
    for coefficients, factor in parts:
        for k, c in coefficients.items():
            total[k] = total.get(k, 0.0) + factor * c
    return total


def _pool(blend: Any, found: BlendProgram, pool: str) -> None:
    lp, sources = found.program, blend.pools[pool].sources
    found.share[pool] = {s: lp.column(f"share of {s} in {pool}", 0.0, 1.0) for s in sources}
    lp.row(f"shares of {pool}", dict.fromkeys(found.share[pool].values(), 1.0), 1.0, 1.0)
    found.flow[pool], found.part[pool] = {}, {}
    for name, p in blend.products.items():
        if p.sources is not None and pool not in p.sources:
            continue
        y = found.flow[pool][name] = lp.column(f"{pool} -> {name}")
        parts = found.part[pool][name] = {s: lp.column(f"{s} -> {pool} -> {name}") for s in sources}
        lp.row(f"parts of {pool} in {name}", {**dict.fromkeys(parts.values(), 1.0), y: -1.0}, 0.0, 0.0)
        for s, k in parts.items():
            found.use[name].setdefault(s, {})[k] = 1.0
    if blend.pools[pool].capacity is not None:
        high = blend.bounds(f"The capacity of {pool}", (0, blend.pools[pool].capacity))[1]
        found.capacity[pool] = lp.row(f"capacity of {pool}", dict.fromkeys(found.flow[pool].values(), 1.0), 0.0, high)
        for s, share in found.share[pool].items():  # redundant, but it tightens the relaxation
            through = {parts[s]: 1.0 for parts in found.part[pool].values()}
            lp.row(f"{s} through {pool}", {**through, share: -high}, -math.inf, 0.0)


def _limit(blend: Any, found: BlendProgram, product: str, name: str, given: Any, form: Any) -> None:
    low, high, price = blend.limit(product, name, given)
    over_form = form.over if isinstance(form, Quotient) else form
    use = found.use[product]
    over = _sum((c, _carried(blend, over_form, s)) for s, c in use.items())
    under: Coefficients = {found.product[product]: 1.0}
    if isinstance(form, Quotient):
        under = _sum((c, _carried(blend, form.under, s)) for s, c in use.items())
        if any(c < 0 for c in under.values()):  # otherwise a ratio of negative signs would turn the limit around
            found.program.row(f"denominator of {name} in {product}", under, 0.0, math.inf)
    sides = [("equal", low)] if low == high else [("lower", low), ("upper", high)]
    for side, limit in sides:
        if not math.isfinite(limit):
            continue
        signs = (1.0, -1.0) if side == "equal" else (1.0,) if side == "lower" else (-1.0,)
        for sign in signs if price < math.inf else (1.0,):
            which = side if price == math.inf or side != "equal" else "lower" if sign > 0 else "upper"
            excess = found.program.column(f"excess of {name} in {product}") if price < math.inf else -1
            row = _sum([(over, 1.0), (under, -limit)]) | ({excess: sign} if excess >= 0 else {})
            at = found.program.row(f"{name} in {product}", row, *{"lower": (0.0, math.inf), "upper": (-math.inf, 0.0),
                                                                  "equal": (0.0, 0.0)}[which])
            found.limits.append(LimitRow(product, name, which, limit, at, over, under, excess, price))
