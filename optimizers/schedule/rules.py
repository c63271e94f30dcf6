"""Dispatching rules: what a plan costs that nobody optimized."""

from __future__ import annotations

from optimizers.schedule.problem import Schedule
from optimizers.schedule.work import Placed
from twin import errors


def dispatch_rules(plan: Schedule) -> dict[str, tuple[Placed, ...]]:
    """Plans by dispatching rule: orders in the sequence of the rule, each finished as early as the units then allow.

    Parameters
    ----------
    plan
        Orders that are chains of tasks, without crews, buffers, campaigns and links between orders.

    Returns
    -------
    dict
        Placed tasks by rule: first come, earliest due date, least slack, latest start, shortest work, weighted. A rule that
        finds no place for an order is left out. Later orders may use gaps between earlier ones.

    Raises
    ------
    twin.errors.SpecError
        The plan is not made of chains.

    Examples
    --------
    >>> from optimizers.schedule import Order, Task, Unit
    >>> orders = [Order("A", [Task("cut", {"saw": 3})], due=9), Order("B", [Task("cut", {"saw": 2})], due=4)]
    >>> plan = Schedule([Unit("saw")], orders)
    >>> dispatch_rules(plan)["earliest due date"][0].start
    2.0
    """
    from optimizers.backends import chains

    reason = chains.unfit(plan, goal_too=False)
    if reason:
        raise errors.SpecError(f"Dispatching rules plan orders that are chains. This plan has {reason}.")
    return chains.dispatch(plan)
