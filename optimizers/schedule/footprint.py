"""Energy and CO2 of a plan, by product and hour."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from twin import errors

if TYPE_CHECKING:
    from optimizers.schedule.problem import Schedule
    from optimizers.solution import Solution
    from twin.ledger.accounting import Ledger
    from twin.ledger.factors import Factors


def plan_ledger(solution: Solution, factor: str, *, by: str = "family", production_unit: str = "t",
                start: dt.datetime | str | None = None, every: float | str = "1 h", factors: Factors | None = None) -> Ledger:
    """What the power of a plan's tasks comes to in energy and CO2, by product and period.

    Parameters
    ----------
    solution
        A solution of a `Schedule` whose modes draw power.
    factor
        Name of the emission factor of the power, such as "grid China".
    by
        What a product is: "family" (the order's name where it has none) or "order".
    production_unit
        Unit of `Order.quantity`, the amount that an order makes.
    start
        Date and time of time 0 of the plan; it decides on the version of the factor.
    every
        Length of a period of the ledger.
    factors
        Emission factors; None: those of the library.

    Returns
    -------
    Ledger
        As of `twin.account`: `by_product()`, `by_period()`, `table()`, `against(another)`.

    Raises
    ------
    twin.errors.SpecError
        There is no plan, `by` is neither, the factor is unknown or out of date, or no task draws power.

    Examples
    --------
    >>> import optimizers
    >>> from optimizers.schedule import Mode, Order, Task, Unit
    >>> heat = Order("heat", [Task("melt", [Mode("EAF", 2, power=30.0)])], family="rebar", quantity=100)
    >>> plan = optimizers.solve(optimizers.Schedule([Unit("EAF")], [heat], time_unit="h"))
    >>> round(plan_ledger(plan, "grid China").energy)
    216
    """
    import twin
    from optimizers.schedule.views import to_frame

    plan: Schedule = solution.problem
    if by not in ("family", "order"):
        raise errors.SpecError(f"by is '{by}'. Expected 'family' or 'order'.")
    frame: Any = to_frame(solution)
    frame["product"] = frame["order"] if by == "order" else frame["family"].where(frame["family"] != "", frame["order"])
    column = f"power [{plan.power_unit}]"
    if not (frame[column] > 0).any():
        raise errors.SpecError("No task of the plan draws power. Give the modes their power: Mode(..., power=5.2).")
    production: dict[str, float] = {}
    for product, order in frame[["product", "order"]].drop_duplicates().itertuples(index=False):
        amount = next(o.quantity for o in plan.orders if o.name == order)
        production[product] = production.get(product, 0.0) + amount
    drawn = twin.activities(frame[frame[column] > 0], {column: factor}, unit={column: plan.power_unit}, product_column="product",
                            every=every, hours_per_time=plan.hours)
    return twin.account(drawn, production=production, production_unit=production_unit, factors=factors, start=start, every=every)
