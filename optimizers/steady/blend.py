"""Blend: materials, products and pools as data; what is mixed, at which price, within which limits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from optimizers.steady import blend_tables, forms
from twin import errors, units
from twin.limits import Soft

Amount = float | str | tuple[float | str | None, float | str | None]


@dataclasses.dataclass(frozen=True, eq=False)
class Material:
    """Something that can be blended.

    Attributes
    ----------
    qualities
        Analysis by name, per amount of dry material, in the units that the blend declares.
    price
        Per amount as delivered (moist), in the blend's money and amount unit.
    amount
        What can be used, as delivered: (lower, upper) with None for no limit, or one number for a fixed amount.
    moisture
        Water as a share of the delivered amount, 0 to 1; "8 %" is read.
    yields
        Product from one unit of dry material, such as 1 - loss on ignition; 1 where nothing is lost.

    Examples
    --------
    >>> Material({"SiO2": 58.5, "CaO": 2.1}, price=4.0, amount=(0, "120 t"), moisture="8 %").moisture
    0.08
    """

    qualities: Mapping[str, float]
    price: float = 0.0
    amount: Amount = (0.0, None)
    moisture: float = 0.0
    yields: float = 1.0

    def __post_init__(self) -> None:
        for name in ("moisture", "yields"):
            value = units.to_model_unit(name, getattr(self, name), "-")
            object.__setattr__(self, name, value)
        units.check_limits("moisture of a material", self.moisture, "-", 0.0, 0.999, "Give the share of water, 0 to 1, or a text "
                           "such as '8 %'.")
        units.check_limits("yields of a material", self.yields, "-", 0.0, 10.0, "Give product per dry material, such as 0.58.")

    @property
    def dry(self) -> float:
        """Dry material in one unit as delivered."""
        return 1.0 - self.moisture


@dataclasses.dataclass(frozen=True, eq=False)
class Product:
    """What is made.

    Attributes
    ----------
    limits
        Of qualities and quantities by name: (lower, upper) with None for no limit, one number for a value that is held, or
        `twin.soft(lower, upper, price=...)`.
    amount
        (lower, upper) or one fixed number.
    price
        What one unit of it earns.
    sources
        Materials and pools that may go into it; all without.
    """

    limits: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    amount: Amount = (0.0, None)
    price: float = 0.0
    sources: Sequence[str] | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Pool:
    """A tank in which materials lose their identity before they go into products.

    Attributes
    ----------
    sources
        Materials that may go into it.
    capacity
        Greatest amount that passes through it, in the amount unit as delivered.
    """

    sources: Sequence[str]
    capacity: float | str | None = None


@dataclasses.dataclass(frozen=True, eq=False)
class Blend:
    """The best mixture of materials: a linear program; with pools a nonconvex problem, solved to proved optimality.

    Limits on ratios of linear forms (lime saturation, moduli, octane per lead) become linear rows exactly. With pools, the
    products of flow and composition are enclosed by piecewise McCormick relaxations until bound and answer meet.

    Soft limits are linear where the amount of the product is fixed and the quantity linear; else they are priced by a sequence
    of linear programs, and the answer has no proved bound. `optimizers.solve(blend)` takes the options `gap` (relative, 1e-6)
    and `ranges` (True: ranges of validity are computed).

    Attributes
    ----------
    materials
        `Material` by name, or a table: a DataFrame or the path of a CSV file with one row a material (its name in the
        first column or the index), the columns price, lower, upper, moisture, yields where they apply, and one
        column a quality, with its unit as in "SiO2 [%]".
    products
        `Product` by name, or one `Product`.
    pools
        `Pool` by name.
    formulas
        Quantities made of qualities: name -> function of the qualities, linear or a ratio of linear forms, such as
        ``lambda q: q.SiO2 / (q.Al2O3 + q.Fe2O3)``. Earlier ones may be used in later ones.
    units
        Units of qualities and quantities by name; "-" without.
    amount_unit, money
        Of all amounts, and of prices and the objective.
    charges
        Money for one unit of a quality that is used up with the materials: a number in money per (quality unit x amount
        unit), or text with units, such as {"co2": "80 EUR/t"}.
    minimize, maximize
        "cost" (profit, where products have prices), the name of a linear quantity, or of a material.

    Examples
    --------
    >>> import optimizers
    >>> from optimizers import Blend, Material, Product
    >>> acid = Blend({"strong": Material({"acid": 98}, price=90), "weak": Material({"acid": 30}, price=20)},
    ...              Product({"acid": (60, None)}, amount=100), units={"acid": "%"})
    >>> best = optimizers.solve(acid)
    >>> round(best["strong"], 3), round(best.objective, 1)
    (44.118, 5088.2)
    """

    solved_by: ClassVar[str] = "optimizers.steady.blending"

    materials: Any
    products: Any
    pools: Mapping[str, Pool] = dataclasses.field(default_factory=dict)
    formulas: Mapping[str, Callable[[Any], Any]] = dataclasses.field(default_factory=dict)
    units: Mapping[str, str] = dataclasses.field(default_factory=dict)
    amount_unit: str = "t"
    money: str = "EUR"
    charges: Mapping[str, float | str] = dataclasses.field(default_factory=dict)
    minimize: str = ""
    maximize: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.materials, Mapping):
            found, read_units = blend_tables.materials(self.materials)
            object.__setattr__(self, "materials", found)
            object.__setattr__(self, "units", {**read_units, **self.units})
        if isinstance(self.products, Product):
            object.__setattr__(self, "products", {"product": self.products})
        if not self.materials or not self.products:
            raise errors.SpecError("A blend needs at least one material and one product.")
        if self.minimize and self.maximize:
            raise errors.SpecError(f"The blend is to minimize {self.minimize} and to maximize {self.maximize}. Give one of "
                                   "the two.")
        _check_names(self)
        for name, material in self.materials.items():
            for quality in self.qualities:
                _check_number(f"{quality} of {name}", material.qualities.get(quality), self.unit(quality))
            _check_number(f"The price of {name}", material.price, f"{self.money}/{self.amount_unit}")

    @property
    def qualities(self) -> tuple[str, ...]:
        """Qualities that limits, formulas, charges or the objective can refer to: those that every material has."""
        first = next(iter(self.materials.values())).qualities
        return tuple(first)

    @property
    def forms(self) -> dict[str, Any]:
        """Qualities and quantities as linear forms, or ratios of them."""
        return forms.forms(self.qualities, self.formulas)

    @property
    def earns(self) -> bool:
        """True where a product has a price: the objective is then a profit."""
        return any(p.price for p in self.products.values())

    def unit(self, name: str) -> str:
        """Unit of a quality or quantity."""
        return self.units.get(name, "-")

    def told(self, name: str, value: float) -> str:
        """A value of a quality with its unit, for messages."""
        return f"{value:.4g}" if self.unit(name) == "-" else f"{value:.4g} {self.unit(name)}"

    def bounds(self, what: str, amount: Any, unit: str | None = None) -> tuple[float, float]:
        """An amount or limit as (lower, upper) numbers in the unit."""
        unit = self.amount_unit if unit is None else unit
        pair = amount if isinstance(amount, tuple | list) else (amount, amount)
        if len(pair) != 2:
            raise errors.SpecError(f"{what} is {amount!r}. Expected one number or (lower, upper).")
        low = -math.inf if pair[0] is None else units.to_model_unit(what, pair[0], unit)
        high = math.inf if pair[1] is None else units.to_model_unit(what, pair[1], unit)
        if math.isnan(low) or math.isnan(high) or low > high:
            raise errors.SpecError(f"{what} is to lie between {low:g} and {high:g} {unit}. Expected lower <= upper.")
        return low, high

    def limit(self, product: str, name: str, given: Any) -> tuple[float, float, float]:
        """A limit as (lower, upper, price of an excess or infinity)."""
        what, unit = f"The limit of {name} in {product}", self.unit(name)
        if isinstance(given, Soft):
            return (*self.bounds(what, (given.lower, given.upper), unit), given.price)
        return (*self.bounds(what, given, unit), math.inf)


def _check_names(blend: Blend) -> None:
    """Refuse names that stand for nothing, or for two things."""
    for name in blend.pools:
        if name in blend.materials:
            raise errors.SpecError(f"'{name}' is a material and a pool. Rename one of the two.")
        if not blend.pools[name].sources:
            raise errors.SpecError(f"The pool {name} has no sources. Name the materials that go into it.")
        for source in blend.pools[name].sources:
            if source not in blend.materials:
                raise errors.unknown("material", source, f"the pool {name}", blend.materials)
    for material in blend.materials.values():
        if not isinstance(material, Material):
            raise errors.SpecError(f"A material of the blend is a {type(material).__name__}. Expected optimizers.Material.")
    for name in blend.formulas:
        if name in blend.qualities:
            raise errors.SpecError(f"'{name}' is a quality of the materials and a formula. Rename one of the two.")
    known = blend.forms
    for name, product in blend.products.items():
        for source in product.sources or ():
            if source not in blend.materials and source not in blend.pools:
                raise errors.unknown("material or pool", source, f"the product {name}", [*blend.materials, *blend.pools])
        for limited in product.limits:
            if limited not in known:
                raise errors.unknown("quality", limited, f"the product {name}", known)
    for name in blend.charges:
        if name not in blend.qualities:
            raise errors.unknown("quality", name, "the charges of the blend", blend.qualities)
    for name in blend.units:
        if name not in known:
            raise errors.unknown("quality", name, "the units of the blend", known)
    goal = blend.minimize or blend.maximize
    if goal == "cost" and blend.maximize:
        raise errors.SpecError("The blend is to maximize cost. Give minimize='cost', or prices of products.")
    if goal and goal != "cost" and goal not in known and goal not in blend.materials:
        raise errors.unknown("quality or material", goal, "the objective of the blend", [*known, *blend.materials])
    if goal in known and isinstance(known[goal], forms.Quotient):
        raise errors.SpecError(f"The objective {goal} is a ratio. Expected cost, a linear quantity or a material; hold {goal} "
                               "by a limit.")


def _check_number(what: str, value: Any, unit: str) -> None:
    if value is None:
        raise errors.SpecError(f"{what} is missing. Give a number in {unit} for every material.")
    if not (isinstance(value, int | float) or hasattr(value, "__float__")) or not math.isfinite(float(value)):
        raise errors.SpecError(f"{what} is {value!r}. Expected a finite number in {unit}.")
