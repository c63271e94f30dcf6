"""Bounds, parameters and first guess of one solve: a Plan and Decisions written into the arrays of the engine."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.dynamic.grid import Decisions, given_at, interval
from optimizers.dynamic.plan import Limit, at, finite
from optimizers.dynamic.transcription import Transcription


@dataclasses.dataclass(frozen=True, eq=False)
class Path:
    """States and algebraics along a run: at the start and at all points of each edge, shape (edges, points + 1, n)."""

    x: Any
    z: Any


Margins = Mapping[int, tuple[Any, Any]]  # number of the limit -> room kept at its lower and upper side, one an edge


Within = frozenset[tuple[int, int]]  # (state, side -1 or 1): kept within its range in the model
OUTSIDE = 1e-3  # of its typical size: room beyond the range


def fill(tr: Transcription, data: Any, start: Decisions, path: Path | None, margins: Margins | None = None,
         within: Within = frozenset()) -> None:
    """Write everything into `data`."""
    data.length[:] = 1.0
    data.t_start[:] = 0.0
    _edges(tr, data.p_edge)
    _nodes(tr, data)
    _inputs(tr, data)
    _carried(tr, data)
    _limits(tr, data, margins or {})
    _jumps(tr, data)
    for k, side in within:
        _keep(tr, data, k, side)
    _guess(tr, data, start, path)


def _durations(tr: Transcription, n: int, share: float) -> list[float]:
    """Time from the start of the phase of an edge to a share of it: constant, then by free phase."""
    phase, lay = tr.grid.edges[n].phase, tr.layout
    row = [0.0] * (1 + len(lay.free_phases))
    if phase in lay.free_phases:
        row[1 + lay.free_phases.index(phase)] = share
    else:
        row[0] = share * tr.plan.phases[phase].duration
    return row


def _edges(tr: Transcription, rows: Any) -> None:
    col, plan = tr.columns, tr.plan
    rows[:] = 0.0
    rows[:, col["parameter"]] = plan.p
    for n, edge in enumerate(tr.grid.edges):
        row, phase = rows[n], plan.phases[edge.phase]
        row[col["length"]] = _durations(tr, n, edge.b - edge.a)
        time = _durations(tr, n, edge.a)
        for k in range(edge.phase):
            if k in tr.layout.free_phases:
                time[1 + tr.layout.free_phases.index(k)] += 1.0
            else:
                time[0] += plan.phases[k].duration
        row[col["time"]] = time
        moved = {m.place.name for m in phase.moved}
        for i, name in enumerate(tr.names):
            if name in moved:
                continue
            if name not in phase.given:  # a disturbance that nothing names
                row[col["given"].start + i] = _nominal(tr, name)
                continue
            first = given_at(phase, name, edge.a * phase.duration)
            row[col["given"].start + i] = first
            if getattr(phase.given[name], "hold", "") == "linear":
                row[col["change"].start + i] = given_at(phase, name, edge.b * phase.duration) - first
        for j, c in enumerate(tr.layout.controls):
            row[col["moves"].start + j] = float(c.name in moved)
        if edge.is_reset:
            row[col["reset"].start + tr.resets.index((edge.phase, edge.step))] = 1.0


def _nominal(tr: Transcription, name: str) -> float:
    return float(next(s.nominal for s in tr.plan.model.signals if s.name == name))


def _nodes(tr: Transcription, data: Any) -> None:
    """Sums at nodes, and the rows of rates and of lines that go straight on."""
    data.p_node[:] = 0.0
    data.p_node[:, tr._at_parameters():] = tr.plan.p
    edges, lay, nf = tr.grid.edges, tr.layout, len(tr.layout.free_phases)
    if tr._has_sums():
        col = tr.columns["given"]
        times = tr.grid.times([p.duration for p in tr.plan.phases])
        for n in range(len(edges) + 1):
            last = min(n, len(edges) - 1)
            data.p_node[n, 0] = times[last, 0 if n == last else -1]
            data.p_node[n, 1:1 + tr.n_v] = data.p_edge[last, col]
            if n > last:  # profiles go on behind the last point with their end value
                phase = tr.plan.phases[edges[last].phase]
                for i, name in enumerate(tr.names):
                    if name in phase.given:
                        data.p_node[n, 1 + i] = given_at(phase, name, phase.duration)
        for i, term in enumerate(t for t in tr.plan.terms if t.times is not None):
            for time in term.times or ():
                data.p_node[tr.grid.node_at(time), 1 + tr.n_v + i] += 1.0
    rows = tr._rows()
    if rows:
        data.row_lower[:], data.row_upper[:] = -math.inf, math.inf
    for r, (kind, j, side) in enumerate(rows):
        at_row = tr._sums_width() + r * (2 + nf)
        for n, edge in enumerate(edges):
            moved = next((m for m in tr.plan.phases[edge.phase].moved if m.place.name == lay.controls[j].name), None)
            if moved is None or edge.is_reset:
                continue
            k, into = interval(moved.shares, edge.a)
            if kind == "straight":
                if into > 0:
                    before = edges[n - 1]
                    data.p_node[n, at_row] = (edge.b - edge.a) / (before.b - before.a)
                    data.row_lower[n, r] = data.row_upper[n, r] = 0.0
                continue
            rate = moved.rate[(side + 1) // 2]
            line = lay.controls[j].kind == "line"
            if not math.isfinite(rate) or (into > 0 and not line) or (k == 0 and not line):
                continue
            share = edge.b - edge.a if line else moved.shares[k] - moved.shares[k - 1]
            data.p_node[n, at_row] = rate
            data.p_node[n, at_row + 1:at_row + 2 + nf] = _durations(tr, n, share)
            (data.row_upper if side > 0 else data.row_lower)[n, r] = 0.0


def bounds_of_move(tr: Transcription, phase: int, name: str) -> tuple[float, float]:
    """Bounds of a moved input in a phase, limits included."""
    moved = next(m for m in tr.plan.phases[phase].moved if m.place.name == name)
    low, high = moved.lower, moved.upper
    for limit in tr.plan.limits:
        if limit.place.name == name and limit.price is None:
            low, high = max(low, at(limit.lower, 0.0)), min(high, at(limit.upper, 0.0))
    return low, high


def _inputs(tr: Transcription, data: Any) -> None:
    """Bounds of the inputs of the engine, and of the values that follow from them."""
    lay = tr.layout
    data.x_lower[:], data.x_upper[:] = -math.inf, math.inf
    for j, c in enumerate(lay.controls):
        carried = lay.at_value + lay.carried_values.index(j) if c.kind != "value" else -1
        for n, edge in enumerate(tr.grid.edges):
            names = {m.place.name: m for m in tr.plan.phases[edge.phase].moved}
            if c.name not in names or edge.is_reset:
                data.u_lower[n, j] = data.u_upper[n, j] = 0.0
                continue
            low, high = bounds_of_move(tr, edge.phase, c.name)
            into = interval(names[c.name].shares, edge.a)[1]
            if c.kind == "value":
                data.u_lower[n, j], data.u_upper[n, j] = low, high
                continue
            held = c.kind == "step" and into > 0
            data.u_lower[n, j], data.u_upper[n, j] = (0.0, 0.0) if held else (-math.inf, math.inf)
            data.x_lower[n + 1, carried], data.x_upper[n + 1, carried] = low, high
            if c.kind == "line" and into == 0 and n == 0:
                data.x_lower[0, carried], data.x_upper[0, carried] = low, high
        if c.kind == "step":
            data.x_lower[0, carried] = data.x_upper[0, carried] = 0.0
    data.x_lower[0, lay.at_previous:lay.at_end] = data.x_upper[0, lay.at_previous:lay.at_end] = 0.0
    last = len(tr.grid.edges) - 1
    for i, (limit, _) in enumerate(lay.soft):
        k = len(lay.controls) + i
        data.u_lower[:, k], data.u_upper[:, k] = 0.0, math.inf
        if limit.phase is not None:
            only = tr.grid.last_of(limit.phase)
            data.u_upper[[n for n in range(last + 1) if n != only], k] = 0.0
    data.u_lower[last + 1:], data.u_upper[last + 1:] = 0.0, 0.0


def _carried(tr: Transcription, data: Any) -> None:
    """Bounds of initial states, lengths and parameters."""
    lay, plan = tr.layout, tr.plan
    free = {d.place.index: d for d in plan.initial}
    for i, k in enumerate(lay.kept):
        low, high = (free[k].lower, free[k].upper) if k in free else (plan.x0[k], plan.x0[k])
        data.x_lower[0, i], data.x_upper[0, i] = low, high
    for i, k in enumerate(lay.free_phases):
        data.x_lower[0, lay.at_time + i], data.x_upper[0, lay.at_time + i] = plan.phases[k].shortest, plan.phases[k].longest
    for i, d in enumerate(plan.parameters):
        data.x_lower[0, lay.at_parameter + i], data.x_upper[0, lay.at_parameter + i] = d.lower, d.upper


def _limits(tr: Transcription, data: Any, margins: Margins) -> None:
    lay = tr.layout
    for low, high in ((data.xp_lower, data.xp_upper), (data.zp_lower, data.zp_upper), (data.path_lower, data.path_upper)):
        low[:], high[:] = -math.inf, math.inf
    times = tr.grid.times([p.duration for p in tr.plan.phases])
    rows = tr._path_rows()
    for number, limit in enumerate(tr.plan.limits):
        if limit.place.role == "input":
            continue
        edges = [tr.grid.last_of(limit.phase)] if limit.phase is not None else range(len(tr.grid.edges))
        for n in edges:
            inner = limit.phase is None and limit.price is None and not tr.grid.edges[n].is_reset
            room = [float(v[n]) for v in margins[number]] if number in margins else [0.0, 0.0]
            for m in range(tr.grid.points) if inner else [tr.grid.points - 1]:
                low, high = limit.sides(times[n, m + 1])
                _tighten(tr, data, limit, n, m, low + room[0], high - room[1])
    for r, (place, slack, side) in enumerate(rows):
        if side == 9:
            n = tr.grid.last_of(-1)
            data.path_lower[n, -1, r] = data.path_upper[n, -1, r] = 0.0
        elif slack >= 0:
            limit = lay.soft[slack][0]
            for n in [tr.grid.last_of(limit.phase)] if limit.phase is not None else range(len(tr.grid.edges)):
                low, high = limit.sides(times[n, -1])
                if side < 0:
                    data.path_lower[n, -1, r] = low
                else:
                    data.path_upper[n, -1, r] = high
        del place


def _tighten(tr: Transcription, data: Any, limit: Limit, n: int, m: int, low: float, high: float) -> None:
    """Write a hard limit at one point; soft ones stand in rows with their slack."""
    if limit.price is not None:
        return
    role, k = limit.place.role, limit.place.index
    if role == "state":
        i = tr.layout.kept.index(k)
        lower, upper, where = ((data.x_lower, data.x_upper, (n + 1, i)) if m == tr.grid.points - 1
                               else (data.xp_lower, data.xp_upper, (n, m, i)))
    elif role == "algebraic":
        lower, upper, where = data.zp_lower, data.zp_upper, (n, m, k)
    else:
        lower, upper, where = data.path_lower, data.path_upper, (n, m, tr.layout.path.index(limit.place))
    lower[where], upper[where] = max(lower[where], low), min(upper[where], high)


def _jumps(tr: Transcription, data: Any) -> None:
    """States that a reset sets: free to change along its edge, fixed at its end."""
    lay = tr.layout
    if not lay.jumps:
        return
    data.u_lower[:, lay.at_jump], data.u_upper[:, lay.at_jump] = 0.0, 0.0
    for n, edge in enumerate(tr.grid.edges):
        for k in (k for phase, step, k in lay.jumps if edge.is_reset and (phase, step) == (edge.phase, edge.step)):
            data.u_lower[n, lay.at_jump], data.u_upper[n, lay.at_jump] = -math.inf, math.inf
            i = lay.kept.index(k)
            data.x_lower[n + 1, i] = data.x_upper[n + 1, i] = tr.plan.phases[edge.phase].reset[edge.step].value


def reach(tr: Transcription) -> Any:
    """Ranges of all states in the model with some room, shape (2, states)."""
    import numpy as np

    found = np.empty((2, tr.sizes["state"]))
    for r in tr.plan.model.layout("state"):
        room = OUTSIDE * (abs(r.signal.nominal) or 1.0)
        found[0, r.where], found[1, r.where] = r.signal.lower - room, r.signal.upper + room
    return found


def _keep(tr: Transcription, data: Any, k: int, side: int) -> None:
    """A state kept within its range at all points of all stretches."""
    import numpy as np

    i, bound = tr.layout.kept.index(k), reach(tr)[(side + 1) // 2, k]
    sides, choose = (("x_lower", "xp_lower"), np.maximum) if side < 0 else (("x_upper", "xp_upper"), np.minimum)
    for name in sides:
        rows = getattr(data, name)[..., i] if name.startswith("xp") else getattr(data, name)[1:, i]
        rows[:] = choose(rows, bound)


def _guess(tr: Transcription, data: Any, start: Decisions, path: Path | None) -> None:
    lay, plan, edges = tr.layout, tr.plan, tr.grid.edges
    kept = list(lay.kept)
    x0 = list(plan.x0)
    for d, value in zip(plan.initial, start.initial, strict=True):
        x0[d.place.index] = value
    data.x[:], data.u[:] = 0.0, 0.0
    data.x[:, :lay.n_c] = [x0[k] for k in kept]
    for i, k in enumerate(lay.free_phases):
        data.x[:, lay.at_time + i] = start.durations[k]
    for i in range(len(plan.parameters)):
        data.x[:, lay.at_parameter + i] = start.parameters[i]
    for j, c in enumerate(lay.controls):
        _guess_control(tr, data, start, j, c)
    if path is None:
        return
    data.x[0, :lay.n_c] = path.x[0, 0, kept]
    data.x[1:, :lay.n_c] = path.x[:, -1, kept]
    data.xp[:] = path.x[:, 1:, kept]
    data.zp[:] = path.z[:, 1:, :]
    for n, edge in enumerate(edges if lay.jumps else ()):
        for k in (k for phase, step, k in lay.jumps if edge.is_reset and (phase, step) == (edge.phase, edge.step)):
            data.u[n, lay.at_jump] = (path.x[n, -1, k] - path.x[n, 0, k]) / tr._sizes()[k]
    for i, place in enumerate(lay.ends):
        known = place.role == "algebraic"
        data.x[:, lay.at_end + i] = path.z[-1, -1, place.index] if known else _output_at_end(tr, data, path, place)
    for i, (limit, side) in enumerate(lay.soft):
        if limit.place.role in ("state", "algebraic"):
            times = tr.grid.times(start.durations)[:, -1]
            values = (path.x if limit.place.role == "state" else path.z)[:, -1, limit.place.index]
            sides = [limit.sides(t)[(side + 1) // 2] for t in times]
            data.u[:len(edges), len(lay.controls) + i] = [max(side * (v - s), 0.0) for v, s in zip(values, sides, strict=True)]


def _output_at_end(tr: Transcription, data: Any, path: Path, place: Any) -> float:
    import jax
    import numpy as np

    n = len(tr.grid.edges) - 1
    with jax.enable_x64(True):
        x = np.array(data.x[n])
        x[:tr.layout.n_c] = path.x[n, -1, list(tr.layout.kept)]
        values = tr.point(0.0, x, path.z[n, -1], np.array(data.u[n]), 1.0, np.array(data.p_edge[n]))[2]
        row = next(r for r, (p, _, side) in enumerate(tr._path_rows()) if side == 9 and p == place)
        return float(values[row]) + float(x[tr.layout.at_end + tr.layout.ends.index(place)])


def _guess_control(tr: Transcription, data: Any, start: Decisions, j: int, c: Any) -> None:
    lay, before = tr.layout, 0.0
    column = lay.at_value + lay.carried_values.index(j) if c.kind != "value" else -1
    for n, edge in enumerate(tr.grid.edges):
        moved = next((m for m in tr.plan.phases[edge.phase].moved if m.place.name == c.name), None)
        if column >= 0:
            data.x[n, column] = before
        if moved is not None and not edge.is_reset:
            values = start.controls[edge.phase][c.name]
            k, into = interval(moved.shares, edge.a)
            if c.kind == "value":
                data.u[n, j] = values[k]
            elif c.kind == "step":
                data.u[n, j] = 0.0 if into > 0 else values[k] - before
                before += data.u[n, j]
            else:
                k_end, into_end = interval(moved.shares, edge.b - 1e-12)
                first = values[k] + into * (values[k + 1] - values[k])
                last = values[k_end] + into_end * (values[k_end + 1] - values[k_end])
                if n == 0:
                    data.x[0, column] = first
                data.u[n, j] = last - first
                before = last
        if column >= 0:
            data.x[n + 1, column] = before
        if j in lay.previous:
            data.x[n + 1, lay.at_previous + lay.previous.index(j)] = data.u[n, j]


def decisions_of(tr: Transcription, x: Any, u: Any) -> Decisions:
    """What the engine chose, by name, within its bounds."""
    import numpy as np

    lay, plan, edges = tr.layout, tr.plan, tr.grid.edges
    controls: list[dict[str, Any]] = []
    for k, phase in enumerate(plan.phases):
        own: dict[str, Any] = {}
        for m in phase.moved:
            j = next(i for i, c in enumerate(lay.controls) if c.name == m.place.name)
            values = np.zeros(m.values)
            column = lay.at_value + lay.carried_values.index(j) if lay.controls[j].kind != "value" else -1
            for n, edge in enumerate(edges):
                if edge.phase != k or edge.is_reset:
                    continue
                i, into = interval(m.shares, edge.a)
                if into > 0:
                    continue
                values[i] = u[n, j] if column < 0 else x[n if m.linear else n + 1, column]
            if m.linear:
                values[-1] = x[tr.grid.last_of(k) + 1, column]
            low, high = bounds_of_move(tr, k, m.place.name)
            own[m.place.name] = np.clip(values, low, high)
        controls.append(own)
    durations = [p.duration for p in plan.phases]
    for i, k in enumerate(lay.free_phases):
        durations[k] = float(np.clip(x[0, lay.at_time + i], plan.phases[k].shortest, plan.phases[k].longest))
    parameters = [float(np.clip(x[0, lay.at_parameter + i], d.lower, d.upper)) for i, d in enumerate(plan.parameters)]
    initial = [float(np.clip(x[0, lay.kept.index(d.place.index)], d.lower, d.upper)) for d in plan.initial]
    return Decisions(controls, durations, parameters, initial)


def prices(tr: Transcription, duals: Mapping[str, Any]) -> Sequence[tuple[Any, Any]]:
    """By limit of the plan: multipliers of its lower and upper side, one an edge, each the sum over the points of the edge.

    `duals` holds "x", "xp", "zp" and "path" as multiplier of the upper bound minus that of the lower one.
    """
    import numpy as np

    edges, found = len(tr.grid.edges), []
    for limit in tr.plan.limits:
        k = limit.place.index
        if limit.place.role == "input":
            found.append((np.zeros(edges), np.zeros(edges)))
            continue
        if limit.price is not None:
            rows = [r for r, (_, s, _) in enumerate(tr._path_rows()) if s >= 0 and tr.layout.soft[s][0] is limit]
            both = duals["path"][:, -1:, rows].sum(2) if rows else np.zeros((edges, 1))
        elif limit.place.role == "state":
            i = tr.layout.kept.index(k)
            both = np.concatenate([duals["xp"][:, :-1, i], duals["x"][1:, i:i + 1]], 1)
        elif limit.place.role == "algebraic":
            both = duals["zp"][:, :, k]
        else:
            both = duals["path"][:, :, tr.layout.path.index(limit.place)]
        if limit.phase is not None:
            only = np.zeros_like(both)
            n = tr.grid.last_of(limit.phase)
            only[n, -1] = both[n, -1]
            both = only
        low, high = np.maximum(-both, 0).sum(1), np.maximum(both, 0).sum(1)
        # a node may carry the limit of an end, too: what this one does not limit is not its price
        found.append((low if finite(limit.lower) else 0 * low, high if finite(limit.upper) else 0 * high))
    return found
