"""Products on one oven: which of them share zone set points, in which order they run, and what that saves in minutes."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from processes.electronics.boards import EVERY, check_oven, check_spread, node_metrics, node_rows, node_units, passage, ties
from processes.electronics.changeover import OvenZones, emptying, settling
from processes.electronics.profile import ProfileLimits
from twin import errors


@dataclasses.dataclass(frozen=True, eq=False)
class Product:
    """A product on the oven.

    Attributes
    ----------
    name
        Of the product.
    oven
        Model of its board in the oven, with the recipe that it runs today.
    limits
        What its profile must meet.
    boards
        How many are to be made.
    """

    name: str
    oven: Any
    limits: ProfileLimits
    boards: float


@dataclasses.dataclass(frozen=True, eq=False)
class ProductMix:
    """Recipes of several products on one oven that make the least of oven time, changeovers included.

    Every group of products is tried on common set points, with a belt speed for each product and with one for all; groups that
    cannot meet all their limits are left out. `optimizers.solve` picks the division and the order with the fewest minutes. Up to
    six products.

    Attributes
    ----------
    products
        In the order in which they would run today; their boards are models of the same class.
    decisions
        {name: (lower, upper)}: "speed" in cm/min and zones by group in degC, as in `ReflowRecipe`.
    zones, tolerance
        As in `changeover_minutes`.
    initial
        The oven with the recipe that it stands at; None: the first product needs no changeover.

    Examples
    --------
    >>> from processes.electronics import Product, ProductMix, ProfileLimits, ReflowOven
    >>> oven, limits = ReflowOven(), ProfileLimits.contest()
    >>> mix = ProductMix([Product("a", oven, limits, 200), Product("b", oven, limits, 100)], {"speed": (65.0, 90.0)})
    >>> mix.members()
    ('a', 'b')
    """

    products: Sequence[Product]
    decisions: Mapping[str, tuple[float, float]]
    zones: OvenZones | None = None
    tolerance: float = 2.0
    initial: Any = None

    solved_by = "optimizers.design.grouping"

    def __post_init__(self) -> None:
        names = [p.name for p in self.products]
        if len(set(names)) < len(names) or not names:
            raise errors.SpecError(f"The products are called {', '.join(names) or 'nothing'}. Expected a name of its own for "
                                   "each.")
        if "speed" not in self.decisions:
            raise errors.SpecError("ProductMix has no decision 'speed'. Give its bounds in cm/min.", name="speed")
        first = self.products[0].oven
        for p in self.products:
            check_oven(p.name, p.oven, first)
            if float(p.oven.ambient) != float(first.ambient):
                raise errors.SpecError(f"{p.name} runs at {float(p.oven.ambient):g} degC around the oven, {names[0]} at "
                                       f"{float(first.ambient):g} degC. Expected the same oven.", name=p.name)
            if type(p.oven) is not type(first) or p.oven.parameter_names() != first.parameter_names():
                raise errors.SpecError(f"{p.name} is a {p.oven.title}, {names[0]} a {first.title}. Expected boards of one model "
                                       "class, with the same zones and parts.", name=p.name)
            check_spread(p.oven, p.limits)
            if not p.boards > 0:
                raise errors.SpecError(f"boards of {p.name} is {p.boards:g}. Expected above 0.", name=p.name)
        ties(first, self.decisions)

    def members(self) -> tuple[str, ...]:
        """Names of the products."""
        return tuple(p.name for p in self.products)

    def product(self, name: str) -> Product:
        """A product by name."""
        return next(p for p in self.products if p.name == name)

    def designs(self, group: Sequence[str]) -> list[dict[str, Any]]:
        """Fields of the designs of a group: a belt speed for each product, and one for all of them.

        Parameters
        ----------
        group
            Names of products that share the set points.
        """
        products = [self.product(n) for n in group]
        base, own = products[0].oven, [p.name for p in products]
        zones = {n: b for n, b in self.decisions.items() if n != "speed"}
        shared, names = dict(zip(base.parameter_names(), base.parameter_vector(), strict=True)), set()
        vectors = {p.name: dict(zip(p.oven.parameter_names(), p.oven.parameter_vector(), strict=True)) for p in products}
        for vector in vectors.values():
            names |= {n for n, v in vector.items() if v != shared[n]}
        cases = {name: {n: float(vectors[name][n]) for n in sorted(names | {"speed"})} for name in own}
        limits = {p.name: p.limits for p in products}

        def measure(times: Any, seen: Mapping[str, Any]) -> dict[str, Any]:
            return node_metrics(times, {s: seen[s] for s in base.judged}, limits[seen["case"]])

        def minutes(found: Mapping[str, Any]) -> dict[str, Any]:
            return {"minutes": sum(p.boards * float(p.oven.pitch) / found.get(f"speed of {p.name}", found.get("speed"))
                                   for p in products)}

        slowest = self.decisions["speed"][0]
        rows = {f"{m} of {p.name}": pair for p in products for m, pair in node_rows(p.oven, p.limits).items()}
        units = {f"{m} of {n}": u for m, u in node_units(base).items() for n in own} | node_units(base) | {"minutes": "min"}
        common = {"model": base, "ties": ties(base, self.decisions), "signals": base.judged, "every": EVERY, "limits": rows,
                  "duration": max(float(p.oven.length()) for p in products) / slowest * 60.0, "recipe": passage(),
                  "measure": measure, "cases": cases, "across": minutes, "minimize": "minutes", "units": units}
        own_speeds = common | {"decisions": zones | {f"speed of {n}": self.decisions["speed"] for n in own}}
        return [own_speeds] if len(own) == 1 else [own_speeds, common | {"decisions": self.decisions}]

    def oven_of(self, name: str, values: Mapping[str, float]) -> Any:
        """The oven of a product with the decisions of its group.

        Parameters
        ----------
        name
            The product.
        values
            {decision: value}, as the designs of a group name them.
        """
        zones = {n: v for n, v in values.items() if n in self.decisions and n != "speed"}
        return self.product(name).oven.with_recipe(**zones, speed=values.get(f"speed of {name}", values.get("speed")))

    def chosen(self, answers: Mapping[tuple[str, ...], Sequence[Any]]) -> MixPlan:
        """The best division and order.

        Parameters
        ----------
        answers
            {group: solutions of its designs}.
        """
        candidates = [{n: self.oven_of(n, found.value) for n in group} for group, many in answers.items() for found in many]
        plans = Orders(self, [{p.name: p.oven for p in self.products}, *candidates])
        today = plans.in_order([0], self.members())
        alone = [k for k, c in enumerate(candidates, start=1) if len(c) == 1]
        own, own_order = min((plans.in_order(alone, order), order) for order in itertools.permutations(self.members()))
        best = min((plans.in_order(chosen, order), chosen, order) for chosen in divisions(candidates, self.members())
                   for order in itertools.permutations(self.members()))
        minutes, chosen, order = best
        recipes = {n: o for k in chosen for n, o in plans.recipes[k].items()}
        groups = tuple(tuple(plans.recipes[k]) for k in chosen)
        return MixPlan(self, minutes, order, groups, recipes, {n: o for k in alone for n, o in plans.recipes[k].items()},
                       plans.matrix(chosen), plans.matrix(alone),
                       {"today's recipes, order given": today,
                        "fastest recipes, order given": plans.in_order(alone, self.members()),
                        "fastest recipes, best order": own, "shared recipes, best order": minutes}, own_order)


def divisions(candidates: Sequence[Mapping[str, Any]], members: Sequence[str]) -> list[list[int]]:
    """All choices of candidates, counted from 1, in which each member stands once."""
    if not members:
        return [[]]
    found = []
    for k, candidate in enumerate(candidates, start=1):
        if members[0] in candidate and set(candidate) <= set(members):
            found += [[k, *rest] for rest in divisions(candidates, [m for m in members if m not in candidate])]
    return found


class Orders:
    """Minutes of any choice of recipes in any order; all changeovers of the zones come from one ensemble."""

    def __init__(self, mix: ProductMix, recipes: Sequence[Mapping[str, Any]]) -> None:
        self.mix, self.recipes = mix, recipes
        self.ovens = {(k, n): o for k, many in enumerate(recipes) for n, o in many.items()}
        if mix.initial is not None:
            self.ovens[-1, ""] = mix.initial
        pairs = [(a, b) for a in self.ovens for b in self.ovens if a != b and b[0] >= 0]
        waits = settling([(self.ovens[a], self.ovens[b]) for a, b in pairs], mix.zones or OvenZones(), mix.tolerance)
        self.times = {pair: emptying(self.ovens[pair[0]], self.ovens[pair[1]]) + wait
                      for pair, wait in zip(pairs, waits, strict=True)}

    def in_order(self, chosen: Sequence[int], order: Sequence[str]) -> float:
        """Minutes for all products."""
        where = {n: (k, n) for k in chosen for n in self.recipes[k]}
        steps = [where[n] for n in order]
        total = sum(self.mix.product(n).boards * float(self.ovens[where[n]].pitch / self.ovens[where[n]].speed) for n in order)
        before = [(-1, "")] * (self.mix.initial is not None) + steps
        return float(total + sum(self.times[pair] for pair in itertools.pairwise(before)))

    def matrix(self, chosen: Sequence[int]) -> dict[tuple[str, str], float]:
        """Changeover minutes between the products."""
        where = {n: (k, n) for k in chosen for n in self.recipes[k]}
        return {(a, b): self.times[where[a], where[b]] for a in where for b in where if a != b}


@dataclasses.dataclass(frozen=True, eq=False)
class MixPlan:
    """Recipes and order of the products; `solution.details["plan"]` of a `ProductMix`.

    Attributes
    ----------
    mix
        The problem.
    objective
        Minutes of oven time in all.
    order
        Products in the order in which they run.
    groups
        Products that share set points.
    recipes, own_recipes
        {product: oven with its recipe}: of the plan, and the fastest of each product for itself.
    matrix, own_matrix
        {(product, next product): minutes} with these recipes, as `optimizers.schedule.Changeover` takes them.
    compared
        {way of working: minutes in all}.
    own_order
        Best order of the fastest recipes.
    """

    mix: ProductMix
    objective: float
    order: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    recipes: Mapping[str, Any]
    own_recipes: Mapping[str, Any]
    matrix: Mapping[tuple[str, str], float]
    own_matrix: Mapping[tuple[str, str], float]
    compared: Mapping[str, float]
    own_order: tuple[str, ...]
    unit = "min"

    @property
    def title(self) -> str:
        """The answer in a sentence."""
        return f"Least oven time {self.objective:.5g} min, in the order {', '.join(self.order)}"

    @property
    def value(self) -> dict[str, dict[str, float]]:
        """{product: {decision: value}}."""
        from processes.electronics.boards import recipe_value

        return {n: {d: recipe_value(o, d) for d in self.mix.decisions} for n, o in self.recipes.items()}

    @property
    def sentences(self) -> tuple[str, ...]:
        """What shares set points, and what that saves."""
        shared = [", ".join(g) for g in self.groups if len(g) > 1]
        ways = [f"{way}: {minutes:.5g} min" for way, minutes in self.compared.items()]
        before, own = list(self.compared.values())[:2]
        return ("Common set points for " + "; ".join(shared) + "." if shared else "No products share set points.",
                f"{'; '.join(ways)}.", f"Saved against today {before - self.objective:.4g} min, "
                f"against the fastest recipes in the order given {own - self.objective:.4g} min.")

    @property
    def views(self) -> dict[str, Any]:
        """What the solution shows."""
        return {"table": lambda solution: str(self.to_frame().round(2).to_string()),
                "to_frame": lambda solution: self.to_frame(), "plot": lambda solution: self.plot()}

    def to_frame(self) -> Any:
        """DataFrame of the products in their order: recipe, minutes of production, minutes of the changeover before."""
        import pandas as pd

        rows, before = [], "" if self.mix.initial is None else None
        for k, name in enumerate(self.order):
            oven = self.recipes[name]
            change = self.matrix[self.order[k - 1], name] if k else self._first(name) if before is None else 0.0
            rows.append({"product": name, "changeover": change, "production": self.mix.product(name).boards
                         * float(oven.pitch / oven.speed), **self.value[name]})
        return pd.DataFrame(rows).set_index("product")

    def _first(self, name: str) -> float:
        from processes.electronics.changeover import changeover_minutes

        return changeover_minutes(self.mix.initial, self.recipes[name], zones=self.mix.zones, tolerance=self.mix.tolerance)

    def plot(self) -> Any:
        """Figure of the time of each way of working, and the changeover times with own and with shared recipes."""
        from processes.electronics.recipe_plots import mix_figure

        return mix_figure(self)
