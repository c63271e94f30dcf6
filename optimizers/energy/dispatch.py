"""Dispatch: which source, store and converter runs when, as data; and its independent replay."""

from __future__ import annotations

import dataclasses
import datetime as dt
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from optimizers.energy.assets import Converter, Profile, Shift, Source, Storage
from optimizers.energy.tariff import Tariff
from twin import errors
from twin.figures import new_figure

Part = Source | Storage | Converter | Profile | Shift
SLACK = 1e-6


@dataclasses.dataclass(frozen=True, eq=False)
class Dispatch:
    """Cover demands at least cost. Solved by `optimizers.solve` with HiGHS.

    Attributes
    ----------
    demand
        Power in each step by carrier; carriers that only link parts need no entry.
    parts
        `Source`, `Storage`, `Converter`, `Profile`, `Shift`.
    hours
        Length of a step.
    start
        Time of the first step, for tariffs.
    co2_price
        Price of a unit of CO2, in the unit of `Source.co2`.
    co2_cap
        Most CO2 over all steps; its shadow price is the marginal cost of abatement.
    power_unit, currency, co2_unit
        Units for texts.

    Notes
    -----
    Options of `optimizers.solve` for a Dispatch: `gap` (1e-4), `threads` (1). Where nothing is switched it is a linear program
    and exact. Demand charges are billed by calendar month; a month that the steps touch in part is billed whole.

    Examples
    --------
    >>> import optimizers
    >>> from optimizers.energy import Dispatch, Source, Storage
    >>> grid, battery = Source("grid", "electricity", [10, 50]), Storage("battery", "electricity", 1, 1, initial=0)
    >>> plan = Dispatch({"electricity": [1, 1]}, [grid, battery])
    >>> optimizers.solve(plan).objective
    20.0
    """

    solved_by: ClassVar[str] = "optimizers.energy.dispatch"

    demand: Mapping[str, Sequence[float]]
    parts: Sequence[Part]
    hours: float = 1.0
    start: dt.datetime | None = None
    co2_price: float = 0.0
    co2_cap: float | None = None
    power_unit: str = "MW"
    currency: str = ""
    co2_unit: str = "t"

    @property
    def steps(self) -> int:
        """Number of steps."""
        return max((len(v) for v in self.demand.values()), default=0)

    def amounts(self, value: Any, what: str) -> Any:
        """An array over the steps of a number, a series or a tariff."""
        import numpy as np

        if isinstance(value, Tariff):
            if self.start is None:
                raise errors.SpecError(f"{what} is a tariff. Expected Dispatch.start, the time of the first step, beside it.")
            return np.array(value.prices(self.start, self.steps, self.hours), float)
        array = np.asarray(value, float)
        if array.ndim and array.shape != (self.steps,):
            raise errors.SpecError(f"{what} has {array.size} values. Expected {self.steps}, one for each step.")
        if not np.all(np.isfinite(array)):
            raise errors.SpecError(f"{what} has a value that is not a number. Expected numbers only.")
        return np.broadcast_to(array, self.steps)

    def check(self) -> None:
        """Raise a SpecError about what is stated wrongly."""
        names = [p.name for p in self.parts]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise errors.SpecError(f"There are several parts '{twice[0]}'. Expected one of each name.")
        for carrier, power in self.demand.items():
            self.amounts(power, f"The demand of '{carrier}'")
        for p in self.parts:
            if isinstance(p, Profile):
                self.amounts(p.power, f"The power of '{p.name}'")
            if isinstance(p, Source):
                buy = self.amounts(p.price, f"The price of '{p.name}'")
                if p.sell is not None:
                    sell = self.amounts(p.sell, f"The selling price of '{p.name}'")
                    worse = [k for k in range(self.steps) if sell[k] > buy[k]]
                    if worse:
                        k = worse[0]
                        raise errors.SpecError(f"'{p.name}' buys at {buy[k]:g} and sells at {sell[k]:g} in step {k}. "
                                               "Expected to sell at most "
                                               "at the price of buying, else money comes from nothing.")

    def replace(self, **changes: Any) -> Dispatch:
        """A copy with other attributes."""
        return dataclasses.replace(self, **changes)


def solve(problem: Dispatch, *, solver: Any = None, start: Any = None, max_seconds: float | None = None, seed: int = 0,
          gap: float = 1e-4,
          threads: int = 1) -> Any:
    """Solve a dispatch; the options are those of `optimizers.energy.Dispatch`."""
    from optimizers.backends import dispatch_milp
    from optimizers.solution import Active, Solution
    from twin.status import Status

    if solver is not None or start is not None:
        raise errors.SpecError("A Dispatch takes no solver and no start: HiGHS solves it. Leave them out.")
    problem.check()
    began = time.perf_counter()
    answer, flows, facts = dispatch_milp.run(problem, max_seconds=max_seconds, seed=seed, gap=gap, threads=threads)
    stats = {"seconds": time.perf_counter() - began, "solve_s": answer.seconds, "nodes": answer.nodes, **facts.pop("stats")}
    if answer.x is None:
        message = dispatch_milp.shortage(problem) if answer.status is Status.INFEASIBLE else str(answer.status)
        return Solution(problem, answer.status, message, {}, None, problem.currency, bound=answer.bound, solver="HiGHS",
                        stats=stats)
    violated, costs, co2 = replay(problem, flows)
    objective = sum(costs.values())
    active = []
    if problem.co2_cap is not None and facts["cap_dual"] > 1e-9:
        active.append(Active("co2", "upper", co2, problem.co2_cap, problem.co2_unit, facts["cap_dual"],
                             f"{problem.currency or 'cost'}/{problem.co2_unit}"))
    usable = not violated
    exact = answer.status is Status.SUCCESS and (gap == 0 or not facts["switched"])
    exact = answer.status is Status.SUCCESS and (gap == 0 or not facts["switched"])
    ending = " and is the best." if exact else f", within {gap:.2g} of the best."
    message = f"The dispatch was found in {stats['seconds']:.3g} s" + (ending if answer.status is Status.SUCCESS
                                                                       else "; raise max_seconds.")
    return Solution(problem, answer.status if usable else Status.NOT_CONVERGED, message, flows, objective if usable else None,
                    problem.currency,
                    answer.objective, float(len(violated)), violated, answer.bound, active, solver="HiGHS", stats=stats,
                    details={"costs": costs, "co2": co2, "prices": facts["prices"], "peaks": facts["peaks"]}, views=VIEWS)


def replay(problem: Dispatch, flows: Mapping[str, Any]) -> tuple[list[str], dict[str, float], float]:
    """Balances, limits, costs and CO2 of a dispatch, recomputed from its flows: sentences, costs by name, CO2."""
    import numpy as np

    found: list[str] = []
    costs: dict[str, float] = {}
    co2, hours, n = 0.0, problem.hours, problem.steps
    supply: dict[str, Any] = {c: -problem.amounts(p, c) for c, p in problem.demand.items()}
    size: dict[str, float] = {c: float(np.max(np.abs(p))) for c, p in supply.items()}

    def give(carrier: str, power: Any) -> None:
        supply[carrier] = supply.get(carrier, np.zeros(n)) + power
        size[carrier] = max(size.get(carrier, 1.0), float(np.max(np.abs(power), initial=0.0)))

    def outside(name: str, values: Any, low: Any, high: Any) -> None:
        room = SLACK * max(1.0, float(np.max(np.abs(values), initial=0.0)))
        worst = np.maximum(np.asarray(low) - values, values - np.asarray(high))
        k = int(np.argmax(worst))
        if worst[k] > room:
            found.append(f"{name} is {values[k]:g} in step {k}, {worst[k]:.3g} outside its limits.")

    for p in problem.parts:
        if isinstance(p, Source):
            buy, sold = flows[p.name], flows.get(f"{p.name} sold", np.zeros(n))
            outside(p.name, buy, 0.0, np.inf if p.limit is None else p.limit)
            outside(f"{p.name} sold", sold, 0.0, (0.0 if p.sell is None else np.inf) if p.sell_limit is None else p.sell_limit)
            costs[p.name] = float(buy @ problem.amounts(p.price, p.name)) * hours
            if p.sell is not None:
                costs[f"{p.name} sold"] = -float(sold @ problem.amounts(p.sell, p.name)) * hours
            if isinstance(p.price, Tariff) and problem.start is not None:
                costs[f"{p.name} demand charge"] = sum(c * float(np.max(buy[k])) for c, _,
                                                       k in p.price.billed(problem.start, n, hours))
            co2 += float(buy @ problem.amounts(p.co2, p.name)) * hours
            give(p.carrier, buy - sold)
        elif isinstance(p, Storage):
            charge, discharge, content = flows[f"{p.name} charge"], flows[f"{p.name} discharge"], flows[f"{p.name} content"]
            outside(f"{p.name} charge", charge, 0.0, p.power)
            outside(f"{p.name} discharge", discharge, 0.0, p.power)
            outside(f"{p.name} content", content, 0.0, p.energy)
            level = content[0]
            if p.initial is not None and abs(level - p.initial) > SLACK * max(1.0, p.energy):
                found.append(f"'{p.name}' holds {level:g} at the start. Expected {p.initial:g}.")
            for k in range(n):
                level = level * (1 - p.loss) ** hours + (p.efficiency * charge[k] - discharge[k] / p.efficiency) * hours
                if abs(level - content[k + 1]) > 1e-5 * max(1.0, p.energy):
                    found.append(f"'{p.name}' holds {content[k + 1]:g} after step {k}. Its flows make {level:g}.")
                    break
                level = content[k + 1]
            if abs(content[-1] - content[0]) > 1e-5 * max(1.0, p.energy):
                found.append(f"'{p.name}' ends with {content[-1]:g}. Expected {content[0]:g}, as at the start.")
            give(p.carrier, discharge - charge)
        elif isinstance(p, Converter):
            _replay_converter(p, flows, give, outside, costs, hours, found)
        elif isinstance(p, Profile):
            used = flows[p.name]
            offered = problem.amounts(p.power, p.name)
            outside(p.name, used, 0.0 if p.curtail else offered, offered)
            give(p.carrier, used)
        else:
            down, up, cut = flows[f"{p.name} down"], flows[f"{p.name} up"], flows[f"{p.name} cut"]
            outside(f"{p.name} down", down, 0.0, p.down)
            outside(f"{p.name} up", up, 0.0, p.up)
            outside(f"{p.name} cut", cut, 0.0, p.cut)
            for first in range(0, n, p.window):
                open_energy = float(p.rebound * down[first:first + p.window].sum() - up[first:first + p.window].sum())
                if abs(open_energy) > 1e-5 * max(1.0, p.down * p.window):
                    found.append(f"'{p.name}' leaves {open_energy:g} of moved load open in the window from step {first}.")
            costs[p.name] = float(down.sum() * p.cost + cut.sum() * p.cut_price) * hours
            give(p.carrier, down - up + cut)
    for carrier, left in supply.items():
        k = int(np.argmax(np.abs(left)))
        if abs(left[k]) > 1e-5 * max(1.0, size[carrier]):
            found.append(f"The balance of '{carrier}' is open by {left[k]:g} {problem.power_unit} in step {k}.")
    if problem.co2_price:
        costs["co2"] = problem.co2_price * co2
    if problem.co2_cap is not None and co2 > problem.co2_cap * (1 + 1e-7) + 1e-7:
        found.append(f"CO2 is {co2:g} {problem.co2_unit}. Expected {problem.co2_cap:g} at most.")
    return found, costs, co2


def _replay_converter(p: Converter, flows: Mapping[str, Any], give: Callable[[str, Any], None], outside: Callable[..., None],
                      costs: dict[str, float], hours: float, found: list[str]) -> None:
    import numpy as np

    x, on = flows[p.name], np.round(flows.get(f"{p.name} on", np.ones(len(flows[p.name]))))
    outside(p.name, x, p.least * on, p.most * on)
    for carrier, (each, fixed) in p.inputs.items():
        if carrier in p.curve:
            xs, amounts = zip(*p.curve[carrier], strict=True)
            give(carrier, -np.where(on > 0.5, np.interp(x, xs, amounts), 0.0))
        else:
            give(carrier, -(each * x + fixed * on))
    for carrier, (each, fixed) in p.outputs.items():
        give(carrier, each * x + fixed * on)
    before = np.concatenate([[float(p.initially_on)], on[:-1]])
    starts, stops = (on > before), (on < before)
    for event, word, least, state in ((starts, "on", p.least_on, on), (stops, "off", p.least_off, 1 - on)):
        for k in np.flatnonzero(event):
            if not np.all(state[k:k + least] > 0.5):
                found.append(f"'{p.name}' is {word} for less than {least} steps from step {k} on.")
    if p.ramp is not None:
        jumps = np.abs(np.diff(x)) * (on[1:] > 0.5) * (on[:-1] > 0.5)
        if np.any(jumps > p.ramp * (1 + SLACK) + SLACK):
            found.append(f"'{p.name}' changes by {jumps.max():g} from one step to the next. Expected {p.ramp:g} at most.")
    costs[p.name] = float(p.cost * x.sum() + p.on_cost * (on.sum() if p.switched
                                                          else 0.0)) * hours + p.start_cost * float(starts.sum())


def _frame(solution: Any) -> Any:
    import pandas as pd

    problem = solution.problem
    hours = [k * problem.hours for k in range(problem.steps)]
    at = pd.Index(hours, name="hour") if problem.start is None else pd.Index(
        [problem.start + dt.timedelta(hours=h) for h in hours], name="from")
    return pd.DataFrame({name: flow[:problem.steps] for name, flow in solution.value.items()}, index=at)


def _table(solution: Any) -> str:
    costs = solution.details["costs"]
    unit = solution.problem.currency
    return "\n".join([*(f"{name:30s} {value:14,.2f} {unit}" for name, value in costs.items()),
                      f"{'total':30s} {sum(costs.values()):14,.2f} {unit}"])


def _plot(solution: Any, *, path: Any = None, first: int = 0, last: int | None = None) -> Any:
    """Flows that meet the first carrier with a demand, stacked, with its marginal price below; steps `first` to `last`."""
    import numpy as np

    problem: Dispatch = solution.problem
    carrier = next(iter(problem.demand))
    span = slice(first, problem.steps if last is None else last)
    at = np.arange(problem.steps)[span] * problem.hours
    figure = new_figure(9, 5)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    rows = {}
    for p in problem.parts:
        if isinstance(p, Source | Profile) and p.carrier == carrier:
            rows[p.name] = solution.value[p.name]
        elif isinstance(p, Storage) and p.carrier == carrier:
            rows[f"{p.name} discharge"] = solution.value[f"{p.name} discharge"]
        elif isinstance(p, Converter) and carrier in p.outputs:
            each, fixed = p.outputs[carrier]
            rows[p.name] = each * solution.value[p.name] + fixed * solution.value.get(f"{p.name} on", 0.0)
    top.stackplot(at, [r[span] for r in rows.values()], labels=list(rows), step="post")
    top.step(at, problem.amounts(problem.demand[carrier], carrier)[span], where="post", color="black", linewidth=1.2,
             label="demand")
    top.set_ylabel(f"{carrier} [{problem.power_unit}]")
    top.legend(fontsize=8, ncols=3)
    bottom.step(at, solution.details["prices"][carrier][span], where="post", color="#AA3377")
    bottom.set_ylabel("marginal price")
    bottom.set_xlabel("time [h]")
    if path is not None:
        figure.savefig(path, dpi=130)
    return figure


VIEWS: dict[str, Callable[..., Any]] = {"to_frame": _frame, "table": _table, "plot": _plot}
