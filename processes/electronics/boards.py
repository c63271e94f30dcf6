"""Boards in an oven: the places that are judged, their metrics and limits, and a passage with all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from processes.electronics.profile import UNITS, ProfileLimits, Rows, missed, profile_metrics, shares
from processes.electronics.tunnel import Tunnel
from twin import errors

EVERY = 0.5  # s between the points that a profile is judged by
MORE = {"speed": "cm/min", "energy_per_board": "kWh", "boards_per_hour": "1/h", "window_index": "%"}


@dataclasses.dataclass(frozen=True, eq=False)
class JudgedRun:
    """A passage through the oven and what it is judged by.

    Attributes
    ----------
    run
        The trajectory.
    nodes
        {node: temperatures in degC}.
    metrics
        {metric: value}, "metric of node" where there are several nodes.
    window_index
        Largest process window index of the nodes, percent.
    misses
        A sentence for each limit that is not met.
    """

    run: Any
    nodes: Mapping[str, Any]
    metrics: Mapping[str, float]
    window_index: float
    misses: tuple[str, ...]


def passage() -> Any:
    """A recipe of inputs that has no end: the oven has none, its set points are parameters."""
    import twin

    return twin.Recipe.constant()


def ties(oven: Any, decisions: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Parameters that each group of zones sets; bounds of the speed are checked on the way.

    Raises
    ------
    twin.errors.SpecError
        Two groups share a zone, or the belt may stand still.
    """
    found = {name: oven.set_point_names(name) for name in decisions if name != "speed"}
    of: dict[str, str] = {}
    for name, points in found.items():
        for point in points:
            if point in of:
                raise errors.SpecError(f"{of[point]} and {name} both set {point} of {oven.title}. Expected each zone in one "
                                       "group.", name=name)
            of[point] = name
    if "speed" in decisions and not decisions["speed"][0] > 0:
        raise errors.SpecError(f"The speed may fall to {decisions['speed'][0]:g} cm/min. Expected a lower bound above 0.",
                               name="speed")
    return found


def check_oven(name: str, oven: Any, like: Any = None) -> None:
    """Refuse what is no oven, or one of other zones."""
    if not isinstance(oven, Tunnel):
        raise errors.SpecError(f"{name} is a {type(oven).__name__}. Expected an oven with a board, such as ReflowOven().",
                               name=name)
    if like is not None and (oven.zones, oven.hot) != (like.zones, like.hot):
        raise errors.SpecError(f"{name} has {oven.zones} zones, {oven.hot} of them heated; the other oven {like.zones} and "
                               f"{like.hot}. Expected the same oven.", name=name)


def recipe_value(oven: Any, name: str) -> float:
    """Speed, or the set point of the first zone of a group."""
    if name == "speed":
        return float(oven.speed)
    index = int(oven.set_point_names(name)[0].partition("[")[2].rstrip("]"))
    return float(oven.set_points[index])


def with_recipe_of(oven: Any, board: Any) -> Any:
    """Another board with the set points and the speed of an oven."""
    return dataclasses.replace(board, set_points=tuple(float(z) for z in oven.set_points), speed=float(oven.speed))


def check_spread(oven: Any, limits: ProfileLimits) -> None:
    """Refuse a limit on the spread of a single joint."""
    if "spread" in limits.rows and len(node_names(oven)) < 2:
        raise errors.SpecError(f"The limits ask for the spread of the peaks over a board, and {oven.title} has one joint. "
                               "Judge a ReflowAssembly, or take the row out.", name="spread")


def node_names(oven: Any, judged: Sequence[str] | None = None) -> list[str]:
    """The places of a board that are judged; `judged` takes the place of the signals that the board names."""
    rows = {r.signal.name: r for role in ("state", "output") for r in oven.layout(role)}
    many = {name: rows[name].count if rows[name].shape else 0 for name in judged or oven.judged}
    return [node for name, n in many.items() for node in ([f"{name} {k + 1}" for k in range(n)] or [name])]


def node_units(oven: Any, judged: Sequence[str] | None = None) -> dict[str, str]:
    """Units of all metrics and decisions."""
    names = node_names(oven, judged)
    if len(names) == 1:
        return UNITS | MORE
    over_all = {f"{which}_{m}": u for m, u in UNITS.items() for which in ("lowest", "highest")}
    return UNITS | over_all | {f"{m} of {n}": u for m, u in UNITS.items() for n in names} | MORE


def node_rows(oven: Any, limits: ProfileLimits, judged: Sequence[str] | None = None) -> Rows:
    """Limits of each judged place."""
    names = node_names(oven, judged)
    if len(names) == 1:
        return dict(limits.rows)
    alone = {m: pair for m, pair in limits.rows.items() if m == "spread"}
    return {f"{m} of {n}": pair for n in names for m, pair in limits.rows.items() if m != "spread"} | alone


def node_metrics(times: Any, signals: Mapping[str, Any], limits: ProfileLimits) -> dict[str, Any]:
    """Metrics of all judged places.

    Parameters
    ----------
    times
        Seconds.
    signals
        {signal: values of shape (members, times) or (members, times, cells)}.
    limits
        Say from where to count.
    """
    import numpy as np

    nodes = split_nodes(signals)
    found = {n: profile_metrics(times, y, limits) for n, y in nodes.items()}
    if len(found) == 1:
        return next(iter(found.values()))
    many = {f"{m} of {n}": v for n, metrics in found.items() for m, v in metrics.items()}
    for metric in next(iter(found.values())):
        values = np.array([m[metric] for m in found.values()])
        many |= {f"lowest_{metric}": values.min(axis=0), f"highest_{metric}": values.max(axis=0)}
    return many | {"spread": many["highest_peak"] - many["lowest_peak"], "area_to_peak": many["highest_area_to_peak"]}


def split_nodes(signals: Mapping[str, Any]) -> dict[str, Any]:
    """{place: temperatures (members, times)}."""
    import numpy as np

    nodes: dict[str, Any] = {}
    for name, values in signals.items():
        y = np.asarray(values)
        nodes |= {name: y} if y.ndim == 2 else {f"{name} {k + 1}": y[:, :, k] for k in range(y.shape[2])}
    return nodes


def judged(oven: Any, limits: ProfileLimits) -> JudgedRun:
    """The passage of a board and its metrics, speed, energy and boards in an hour among them."""
    import twin

    run = twin.simulate(oven, every=EVERY, rtol=1e-8)
    signals = {s: run[s][None, ...] for s in oven.judged}
    metrics = {n: float(v[0]) for n, v in node_metrics(run.times, signals, limits).items()}
    rows = {n: pair for n, pair in node_rows(oven, limits).items() if n in metrics}
    units = node_units(oven)
    misses = tuple(missed(rows, metrics, units))
    nodes = {n: y[0] for n, y in split_nodes(signals).items()}
    index = float(max(shares(rows, metrics).values(), default=0.0))
    more = {"energy_per_board": float(run["energy_per_board"][-1]), "boards_per_hour": 60.0 * float(oven.speed / oven.pitch),
            "window_index": 100.0 * index}
    return JudgedRun(run, nodes, metrics | more, 100.0 * index, misses)
