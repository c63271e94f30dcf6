"""Blends: linear programs with ratios as limits, ranges, conflicts, tables; pooling to proved optimality."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import optimizers
import twin
from optimizers import Blend, Material, Pool, Product

OXIDES = ("LOI", "SiO2", "Al2O3", "Fe2O3", "CaO", "MgO", "K2O", "Na2O", "SO3")
QUARRY = {"limestone": ((41.90, 3.20, 0.90, 0.40, 52.40, 0.80, 0.15, 0.05, 0.10), 4.0),
          "clay": ((9.80, 58.50, 17.60, 6.90, 2.10, 1.70, 2.20, 0.60, 0.20), 6.0),
          "sand": ((0.60, 95.20, 1.90, 0.90, 0.50, 0.20, 0.40, 0.10, 0.0), 12.0),
          "iron ore": ((5.20, 8.50, 3.10, 80.20, 1.10, 0.50, 0.20, 0.10, 0.40), 40.0),
          "ash": ((0.0, 50.0, 27.0, 8.0, 8.0, 2.0, 1.5, 0.6, 2.5), 0.0)}
FORMULAS = {"LSF": lambda q: 100 * q.CaO / (2.8 * q.SiO2 + 1.18 * q.Al2O3 + 0.65 * q.Fe2O3),
            "SM": lambda q: q.SiO2 / (q.Al2O3 + q.Fe2O3), "AM": lambda q: q.Al2O3 / q.Fe2O3}


def raw_mix(limits: dict[str, Any], ash: float = 16.75, **changes: Any) -> Blend:
    """The reference quarry on clinker basis, for one tonne of clinker."""
    materials = {name: Material(dict(zip(OXIDES, row, strict=True)), price=price, yields=1 - row[0] / 100,
                                amount=ash if name == "ash" else (0, None)) for name, (row, price) in QUARRY.items()}
    return Blend(materials, Product(limits, amount=1000), formulas=FORMULAS, amount_unit="kg",
                 units=dict.fromkeys((*OXIDES, "LSF"), "%"), **changes)


def haverly(price_b: float, most_x: float, **changes: Any) -> Blend:
    """Haverly's pooling problem (1978): A and B meet in a pool, C goes directly."""
    sources = ("pool", "C")
    problem = Blend(
        {"A": Material({"S": 3}, price=6), "B": Material({"S": 1}, price=price_b), "C": Material({"S": 2}, price=10)},
        {"X": Product({"S": (None, 2.5)}, amount=(0, most_x), price=9, sources=sources),
         "Y": Product({"S": (None, 1.5)}, amount=(0, 200), price=15, sources=sources)},
        pools={"pool": Pool(("A", "B"))}, units={"S": "%"}, money="$")
    return dataclasses.replace(problem, **changes)


@pytest.mark.parametrize(("price_b", "most_x", "profit", "share_b"), [(16, 100, 400, 1), (16, 600, 600, 0),
                                                                        (13, 100, 750, 0.75)])
def test_haverly_is_proved(price_b: float, most_x: float, profit: float, share_b: float) -> None:
    """Haverly, ACM SIGMAP Bull. 25 (1978) 19-28: 400, 600, 750 $ (the first has a local optimum at 100 $)."""
    best = optimizers.solve(haverly(price_b, most_x))
    assert best.status is twin.Status.SUCCESS
    assert best.objective == pytest.approx(profit, abs=1e-6)
    assert best.bound == pytest.approx(profit, abs=1e-3)
    assert best.details["share"]["pool"]["B"] == pytest.approx(share_b, abs=1e-6)
    assert best.violation <= 1e-8


def test_pooling_with_two_pools_and_two_qualities_beats_every_scan() -> None:
    """No point of a grid of pool compositions (each a linear program) is better than what is called the optimum."""
    from optimizers.backends import linear
    from optimizers.steady.blend_pools import fixed
    from optimizers.steady.blend_program import assemble

    rng = np.random.default_rng(4)
    values = rng.uniform(0.5, 3.5, (4, 2))
    materials = {n: Material({"S": s, "N": k}, price=18 - 3 * s - k) for n, (s, k) in zip("ABCD", values, strict=True)}
    tanks = ("p", "q")
    problem = Blend(materials, {"X": Product({"S": (None, 1.6), "N": (None, 2.0)}, amount=(0, 100), price=16, sources=tanks),
                                "Y": Product({"S": (None, 2.4), "N": (1.2, 2.6)}, amount=(0, 150), price=13.5, sources=tanks)},
                    pools={"p": Pool(("A", "B"), capacity=120), "q": Pool(("B", "C", "D"))})
    best = optimizers.solve(problem)
    assert best.status is twin.Status.SUCCESS
    assert best.objective == pytest.approx(best.bound, rel=2e-6)
    found, scanned = assemble(problem), []
    for a, b, c in itertools.product(np.linspace(0, 1, 9), repeat=3):
        if b + c <= 1:
            shares = {"p": {"A": a, "B": 1 - a}, "q": {"B": b, "C": c, "D": 1 - b - c}}
            answer = linear.solve(fixed(found, shares))
            scanned += [-answer.value] if answer.status else []
    assert max(scanned) <= best.objective + 1e-6
    assert max(scanned) >= 0.9 * best.objective  # the scan is no straw man


def test_raw_mix_reference_with_ash() -> None:
    """Reference quarry, LSF 96, SM 2.40, AM 1.60, 16.75 kg ash per t clinker: 1258.286/217.735/40.800/16.069 kg."""
    best = optimizers.solve(raw_mix({"LSF": 96, "SM": 2.4, "AM": 1.6}))
    amounts = [best[n] for n in ("limestone", "clay", "sand", "iron ore")]
    assert amounts == pytest.approx([1258.286, 217.735, 40.800, 16.069], abs=2e-3)
    assert 100 * amounts[0] / sum(amounts) == pytest.approx(82.0858, abs=1e-4)
    assert best.details["quality"]["product"]["CaO"] == pytest.approx(66.563, abs=1e-3)


def test_shadow_prices_of_ratios_are_derivatives() -> None:
    """Moving a limit by a little changes the cost by its shadow price."""
    limits = {"LSF": (95, 97), "SM": (2.3, 2.5), "AM": (1.5, 1.7)}
    best = optimizers.solve(raw_mix(limits))
    ratios = {a.name: a for a in best.active if a.name in limits}
    assert set(ratios) == set(limits)
    for name, a in ratios.items():
        step = 1e-5 * a.limit
        moved = dict(limits) | {name: tuple(v + (step if v == a.limit else 0.0) for v in limits[name])}
        room = step if a.side == "upper" else -step
        gained = best.objective - optimizers.solve(raw_mix(moved)).objective
        assert gained / room == pytest.approx(a.shadow_price, rel=1e-3)


def test_ranges_are_where_other_limits_take_over() -> None:
    """Inside the range the same limits are active, beyond it others."""
    limits = {"LSF": (95, 97), "SM": (2.3, 2.5), "AM": (1.5, 1.7), "MgO": (None, 1.5)}

    def active(sm: float) -> set[str]:
        return {f"{a.name} {a.side}" for a in optimizers.solve(raw_mix(limits | {"SM": (sm, None)})).active}

    a = next(a for a in optimizers.solve(raw_mix(limits | {"SM": (2.3, None)})).active if a.name == "SM")
    low, high = a.valid
    assert 2.0 < low < 2.3 < high < 10.0
    assert active(low + 1e-4) == active(2.3) == active(high - 1e-4)
    assert active(high + 1e-3) != active(2.3) != active(low - 1e-3)


def test_price_ranges() -> None:
    """Within its price range the blend stays the same, beyond it does not."""
    limits = {"LSF": (95, 97), "SM": (2.3, 2.5), "AM": (1.5, 1.7)}
    problem = raw_mix(limits)
    best = optimizers.solve(problem)
    for step, same in ((-1e-3, True), (1e-3, False)):
        price = best.details["price_range"]["clay"][1] + step
        clay = dataclasses.replace(problem.materials["clay"], price=price)
        other = optimizers.solve(dataclasses.replace(problem, materials={**problem.materials, "clay": clay}))
        assert (abs(other["clay"] - best["clay"]) < 1e-6) is same


def test_conflict_is_irreducible_and_named() -> None:
    """All limits told conflict; without any one of them there is a blend; the nearest blend is told."""
    limits = {"LSF": 96, "SM": (3, None), "AM": 1.6, "MgO": (None, 1.1), "K2O": (None, 2)}
    with pytest.raises(twin.ConvergenceError, match="No blend keeps these limits at once") as caught:
        optimizers.solve(raw_mix(limits))
    found = caught.value.solution
    assert found.status is twin.Status.INFEASIBLE
    conflict = found.details["conflict"]
    assert conflict[0] == "LSF = 96 %"
    assert "MgO at most 1.1 %" in conflict
    kept = {k: v for k, v in limits.items() if any(c.startswith(k) for c in conflict)}
    assert not optimizers.solve(raw_mix(kept), throw=False).status
    for name in kept:
        assert optimizers.solve(raw_mix({k: v for k, v in kept.items() if k != name})).status
    nearest = float(re.search(r"Nearest blend: .*MgO ([\d.]+) %", found.message)[1])
    assert optimizers.solve(raw_mix(kept | {"MgO": (None, nearest + 1e-3)})).status
    assert not optimizers.solve(raw_mix(kept | {"MgO": (None, nearest - 1e-3)}), throw=False).status


def test_conflict_with_pools_and_too_little_material() -> None:
    """What a pool makes impossible is told in the same way; so is material that runs out."""
    strict = {"X": Product({"S": (None, 0.9)}, amount=(50, 100), price=9), "Y": Product({}, amount=(0, 10), price=15)}
    with pytest.raises(twin.ConvergenceError, match=r"S at most 0.9 % in X; amount of X 50 to 100 t.*Nearest blend: S 1 %"):
        optimizers.solve(haverly(16, 100, products=strict))
    short = {"A": Material({"S": 3}, amount=(0, 20)), "B": Material({"S": 1}, amount=(0, "30 t"))}
    with pytest.raises(twin.ConvergenceError, match="amount of A at most 20 t; amount of B at most 30 t; amount of product"):
        optimizers.solve(Blend(short, Product({"S": (None, 3)}, amount=60)))


def test_soft_limit_costs_its_price() -> None:
    """Linear quantity: exact; the excess is paid where that is cheaper than holding the limit."""
    limits = {"LSF": 96, "SM": (3, None), "AM": 1.6}
    free = optimizers.solve(raw_mix(limits))
    soft = optimizers.solve(raw_mix(limits | {"MgO": twin.soft(None, 1.2, price=100)}))
    excess = soft.details["excess"]["product", "MgO"]
    assert excess == pytest.approx(soft.details["quality"]["product"]["MgO"] - 1.2, abs=1e-9)
    assert soft.objective == pytest.approx(free.objective + 100 * excess, rel=1e-9)
    assert soft.bound == pytest.approx(soft.objective, rel=1e-9)
    hard = optimizers.solve(raw_mix(limits | {"MgO": twin.soft(None, 1.2, price=1e5)}))
    assert not hard.details["excess"]


def test_soft_ratio_is_as_good_as_a_nonlinear_solver() -> None:
    """A soft limit on a ratio against SLSQP from 20 starts on the same cost."""
    from scipy.optimize import minimize

    limits = {"LSF": twin.soft(96, 96, price=30), "SM": (2.2, None), "AM": 1.6, "MgO": twin.soft(None, 1.1, price=2000)}
    problem = raw_mix(limits)
    found = optimizers.solve(problem)
    assert found.bound is None
    names, a = ("limestone", "clay", "sand", "iron ore"), np.array([r for r, _ in QUARRY.values()])
    prices = np.array([p for _, p in QUARRY.values()])

    def parts(m: np.ndarray) -> tuple[dict[str, float], float]:
        m = np.append(m, 16.75)
        made = m @ (1 - a[:, 0] / 100)
        return dict(zip(OXIDES, m @ a / made, strict=True)), made

    def cost(m: np.ndarray) -> float:
        q = parts(m)[0]
        lsf = 100 * q["CaO"] / (2.8 * q["SiO2"] + 1.18 * q["Al2O3"] + 0.65 * q["Fe2O3"])
        return float(prices[:4] @ m + 30 * abs(lsf - 96) + 2000 * max(q["MgO"] - 1.1, 0))

    def held(m: np.ndarray) -> np.ndarray:
        q, made = parts(m)
        return np.array([made - 1000, 100 * (q["Al2O3"] - 1.6 * q["Fe2O3"])])

    def kept(m: np.ndarray) -> float:
        q = parts(m)[0]
        return q["SiO2"] - 2.2 * (q["Al2O3"] + q["Fe2O3"])

    rng, best = np.random.default_rng(0), math.inf
    for _ in range(20):
        run = minimize(cost, rng.uniform(0, [1500, 300, 100, 50]), bounds=[(0, None)] * 4, method="SLSQP",
                       options={"maxiter": 300},
                       constraints=[{"type": "eq", "fun": held}, {"type": "ineq", "fun": kept}])
        if np.abs(held(run.x)).max() < 1e-4 and kept(run.x) > -1e-6:
            best = min(best, run.fun)
    assert found.objective <= best * (1 + 1e-4)
    assert found.objective == pytest.approx(cost(np.array([found[n] for n in names])), rel=1e-9)


def test_moisture_and_yield() -> None:
    """Amounts are as delivered: 100 t of product from wet materials of which some is lost; by hand."""
    wet = Material({"q": 4}, price=1, moisture="20 %", yields=0.5)
    best = optimizers.solve(Blend({"a": wet, "b": Material({"q": 0}, price=1)}, Product({"q": 2}, amount=100)))
    assert best["a"] == pytest.approx(50 / 0.8)      # 50 t dry carry 200, of which the product has 2 a tonne
    assert best["b"] == pytest.approx(75)            # the rest: 100 - 50 x 0.5
    assert best.details["quality"]["product"]["q"] == pytest.approx(2)


def test_charges_and_other_objectives() -> None:
    """A carbon price changes the blend; a quantity or a material can be the objective."""
    table = {"a": Material({"S": 3, "co2": 900}, price=1), "b": Material({"S": 1, "co2": 100}, price=20)}
    problem = Blend(table, Product({"S": (None, 2.5)}, amount=100), units={"co2": "kg/t", "S": "%"})
    assert optimizers.solve(problem)["a"] == pytest.approx(75)
    charged = optimizers.solve(dataclasses.replace(problem, charges={"co2": "80 EUR/t"}))
    assert charged["a"] == pytest.approx(0)
    assert charged.objective == pytest.approx(100 * 20 + 100 * 0.1 * 80)
    least = optimizers.solve(dataclasses.replace(problem, minimize="S"))
    assert least.objective == pytest.approx(100)
    assert optimizers.solve(dataclasses.replace(problem, maximize="a"))["a"] == pytest.approx(75)


def test_table_from_frame_and_csv(tmp_path: Path) -> None:
    """The same table as a DataFrame and as a file; units from the headings."""
    frame = pd.DataFrame({"material": list("abc"), "price [EUR/t]": [1, 2, 3], "S [%]": [3, 1, 2],
                          "upper": [math.nan, 50, math.nan], "moisture [%]": [10, 0, 5]})
    path = tmp_path / "materials.csv"
    frame.to_csv(path, index=False)
    product = Product({"S": (None, "2 %")}, amount=100)
    one, other = optimizers.solve(Blend(frame, product)), optimizers.solve(Blend(path, product))
    assert one.value == other.value
    assert one.problem.unit("S") == "%"
    assert one["a"] == pytest.approx(50 / 0.9)
    frame = one.to_frame()
    assert frame.loc["a", "dry"] == pytest.approx(50)
    assert "S is at its upper limit 2 %" in one.table()


def test_plot_has_a_bar_a_material() -> None:
    """The figure holds the amounts and the limited qualities."""
    pytest.importorskip("matplotlib")
    figure = optimizers.solve(raw_mix({"LSF": (95, 97), "SM": (2.3, 2.5)})).plot()
    assert len(figure.axes[0].patches) == 5
    assert [t.get_text() for t in figure.axes[1].get_yticklabels()] == ["LSF [%]", "SM"]


A = {"a": Material({"S": 1.0})}


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Blend(A, Product({"T": 1}, amount=3)), "Unknown quality 'T' of the product product. Known: S"),
    (lambda: Blend(A | {"b": Material({"T": 1.0})}, Product({"S": 1}, amount=3)), "S of b is missing. Give a number in - for"),
    (lambda: Blend(A | {"b": Material({"S": math.nan})}, Product({}, amount=3)), "S of b is nan. Expected a finite number"),
    (lambda: optimizers.solve(Blend(A, Product({"S": 1}))), "Nothing has to be made"),
    (lambda: optimizers.solve(Blend(A, Product({"S": (2, 1)}, amount=3))), "limit of S in product is to lie between 2 and 1"),
    (lambda: Blend(A, Product({}, amount=3), formulas={"x": lambda q: q.S * q.S}), "formula of x multiplies two qualities"),
    (lambda: Blend(A, Product({}, amount=3), formulas={"x": lambda q: np.exp(q.S)}), "formula of x uses something other than"),
    (lambda: Blend(A, Product({}, amount=3), formulas={"x": lambda q: q.SO3}), "Unknown quality 'SO3' of the formula of x"),
    (lambda: Blend(A, Product({}, amount=3, sources=["z"])), "Unknown material or pool 'z' of the product product"),
    (lambda: Blend(A, Product({}, amount=3), pools={"p": Pool(["z"])}), "Unknown material 'z' of the pool p"),
    (lambda: Blend(A, Product({}, amount=3), minimize="z"), "Unknown quality or material 'z' of the objective"),
    (lambda: Material({}, moisture=8), "moisture of a material is 8 -. Expected 0 to 0.999"),
    (lambda: Blend(3, Product({}, amount=3)), "materials is a int. Expected Material by name, a DataFrame"),
    (lambda: optimizers.solve(Blend(A, {"X": Product({}, price=2), "Y": Product({}, price=1)}, pools={"p": Pool(["a"])})),
     "Nothing bounds the flow from the pool p to X"),
])
def test_wrong_use_is_told(make: Any, message: str) -> None:
    """Each mistake is a sentence that names it."""
    with pytest.raises(twin.SpecError, match=message):
        make()


def test_unbounded_profit_is_told() -> None:
    """A product that can be made without end has no best amount."""
    with pytest.raises(twin.ConvergenceError, match="The profit has no bound"):
        optimizers.solve(Blend(A, Product({}, price=2)))
