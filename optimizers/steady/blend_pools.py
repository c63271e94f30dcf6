"""Pooling: products of flow and share are enclosed by piecewise McCormick relaxations until bound and answer meet."""

from __future__ import annotations

import itertools
import math
import time
from typing import Any

from optimizers.backends import linear
from optimizers.steady.blend_program import BlendProgram
from twin import errors
from twin.status import Status

ROUNDS = 60


def flow_bounds(blend: Any, found: BlendProgram) -> dict[tuple[str, str], float]:
    """Greatest flow from each pool to each product, from the limits or from the program without its bilinear rows.

    Raises
    ------
    SpecError
        Where a flow has no bound.
    """
    highs: dict[tuple[str, str], float] = {}
    for pool, flows in found.flow.items():
        for product, k in flows.items():
            lp = found.program.copy()
            lp.cost = [0.0] * len(lp.cost)
            lp.cost[k] = -1.0
            answer = linear.solve(lp)
            if answer.status is Status.UNBOUNDED:
                raise errors.SpecError(f"Nothing bounds the flow from the pool {pool} to {product}. Give an upper "
                                       f"amount of {product}, a capacity of {pool}, or upper amounts of its materials.")
            highs[pool, product] = max(-answer.value, 0.0) if answer.status is Status.SUCCESS else 0.0
    return highs


def fixed(found: BlendProgram, shares: dict[str, dict[str, float]]) -> linear.LinearProgram:
    """The program at given shares: then it is linear."""
    lp = found.program.copy()
    for pool, by_source in shares.items():
        for source, share in by_source.items():
            k = found.share[pool][source]
            lp.lower[k] = lp.upper[k] = share
            for product, y in found.flow[pool].items():
                lp.row(f"{source} through {pool} to {product}", {found.part[pool][product][source]: 1.0, y: -share}, 0.0, 0.0)
    return lp


def best(found: BlendProgram, highs: dict[tuple[str, str], float], gap: float,
         max_seconds: float | None) -> tuple[linear.LinearAnswer | None, dict[str, dict[str, float]], float, dict[str, Any]]:
    """Answer at the best shares, the shares, the proved bound, counts; None where even the relaxation has no answer."""
    start = time.perf_counter()
    cuts = {(p, s): [0.0, 1.0] for p, shares in found.share.items() for s in shares}
    answer, bound = None, -math.inf
    kept: dict[str, dict[str, float]] = {}
    stats: dict[str, Any] = {"rounds": 0, "programs": 0}
    for _ in range(ROUNDS):
        left = None if max_seconds is None else max_seconds - (time.perf_counter() - start)
        if left is not None and left <= 0:
            break
        relaxed = linear.solve(relaxation(found, cuts, highs), max_seconds=left, gap=0.1 * gap)
        stats["rounds"] += 1
        stats["programs"] += 1
        if relaxed.status is Status.INFEASIBLE:
            return answer, kept, bound, stats
        if math.isfinite(relaxed.bound):
            bound = max(bound, relaxed.bound)
        if not len(relaxed.x):
            break
        for shares in _candidates(found, relaxed.x):
            trial, shares = _improved(found, shares, stats)
            if trial is not None and (answer is None or trial.value < answer.value):
                answer, kept = trial, shares
        if answer is not None:
            bound = min(bound, answer.value)
            if answer.value - bound <= gap * max(1.0, abs(answer.value)):
                break
        _refine(found, relaxed.x, cuts, highs)
    return answer, kept, bound, stats


def relaxation(found: BlendProgram, cuts: dict[tuple[str, str], list[float]],
               highs: dict[tuple[str, str], float]) -> linear.LinearProgram:
    """Part = share x flow, relaxed to its convex hull over each segment of each share."""
    lp = found.program.copy()
    for pool, shares in found.share.items():
        for source, q in shares.items():
            ends = cuts.get((pool, source), [0.0, 1.0])
            segments = list(itertools.pairwise(ends))
            chosen = [lp.column("", 0.0, 1.0, integer=len(segments) > 1) for _ in segments]
            pieces = [lp.column("", 0.0, 1.0) for _ in segments]
            lp.row("", dict.fromkeys(chosen, 1.0), 1.0, 1.0)
            lp.row("", dict.fromkeys(pieces, 1.0) | {q: -1.0}, 0.0, 0.0)
            for (low, high), z, piece in zip(segments, chosen, pieces, strict=True):
                lp.row("", {piece: 1.0, z: -low}, 0.0, math.inf)
                lp.row("", {piece: 1.0, z: -high}, -math.inf, 0.0)
            for product, y in found.flow[pool].items():
                most = highs[pool, product]
                flows = [lp.column("", 0.0, most) for _ in segments]
                lp.row("", dict.fromkeys(flows, 1.0) | {y: -1.0}, 0.0, 0.0)
                for f, z in zip(flows, chosen, strict=True):
                    lp.row("", {f: 1.0, z: -most}, -math.inf, 0.0)
                part = {found.part[pool][product][source]: 1.0}
                low_f = {f: -low for f, (low, _) in zip(flows, segments, strict=True)}
                high_f = {f: -high for f, (_, high) in zip(flows, segments, strict=True)}
                at_most = {p: -most for p in pieces}
                low_z = {z: most * low for z, (low, _) in zip(chosen, segments, strict=True)}
                high_z = {z: most * high for z, (_, high) in zip(chosen, segments, strict=True)}
                lp.row("", part | low_f, 0.0, math.inf)
                lp.row("", part | high_f | at_most | high_z, 0.0, math.inf)
                lp.row("", part | high_f, -math.inf, 0.0)
                lp.row("", part | low_f | at_most | low_z, -math.inf, 0.0)
    return lp


def _candidates(found: BlendProgram, x: Any) -> list[dict[str, dict[str, float]]]:
    """Shares as the relaxation has them, and as its parts imply."""
    asked, implied = {}, {}
    for pool, shares in found.share.items():
        asked[pool] = _normal({s: float(x[k]) for s, k in shares.items()})
        through = {s: sum(float(x[parts[s]]) for parts in found.part[pool].values()) for s in shares}
        implied[pool] = _normal(through) if sum(through.values()) > 1e-9 else asked[pool]
    return [asked, implied]


def _normal(shares: dict[str, float]) -> dict[str, float]:
    cut = {s: v if v > 1e-9 else 0.0 for s, v in shares.items()}
    total = sum(cut.values()) or 1.0
    return {s: v / total for s, v in cut.items()}


def _improved(found: BlendProgram, shares: dict[str, dict[str, float]],
              stats: dict[str, Any]) -> tuple[linear.LinearAnswer | None, dict[str, dict[str, float]]]:
    """Flows at fixed shares, then shares at fixed flows, as long as it gets better."""
    answer = linear.solve(fixed(found, shares))
    stats["programs"] += 1
    if answer.status is not Status.SUCCESS:
        return None, shares
    for _ in range(20):
        lp = found.program.copy()
        for pool, flows in found.flow.items():
            for product, y in flows.items():
                flow = float(answer.x[y])
                lp.lower[y] = lp.upper[y] = flow
                for source, part in found.part[pool][product].items():
                    lp.row("", {part: 1.0, found.share[pool][source]: -flow}, 0.0, 0.0)
        moved = linear.solve(lp)
        stats["programs"] += 2
        if moved.status is not Status.SUCCESS:
            return answer, shares
        other = {pool: _normal({s: float(moved.x[k]) for s, k in own.items()}) for pool, own in found.share.items()}
        again = linear.solve(fixed(found, other))
        if again.status is not Status.SUCCESS or not again.value < answer.value - 1e-9 * max(1.0, abs(answer.value)):
            return answer, shares
        answer, shares = again, other
    return answer, shares


def _refine(found: BlendProgram, x: Any, cuts: dict[tuple[str, str], list[float]],
            highs: dict[tuple[str, str], float]) -> None:
    """Cut the segments where a part is farthest from share x flow; halve where the share sits on a cut already."""
    gaps: dict[tuple[str, str], float] = {}
    for pool, shares in found.share.items():
        for source, q in shares.items():
            misses = [abs(float(x[found.part[pool][product][source]]) - float(x[q]) * float(x[y]))
                      / max(highs[pool, product], 1e-9) for product, y in found.flow[pool].items()]
            gaps[pool, source] = max(misses, default=0.0)
    worst = max(gaps.values(), default=0.0)
    for (pool, source), miss in gaps.items():
        if miss < 0.5 * worst or worst == 0.0:
            continue
        ends, at = cuts[pool, source], float(x[found.share[pool][source]])
        k = max(i for i, end in enumerate(ends[:-1]) if end <= at + 1e-12)
        width = ends[k + 1] - ends[k]
        if width < 1e-7:
            continue
        at = at if min(at - ends[k], ends[k + 1] - at) > 0.05 * width else 0.5 * (ends[k] + ends[k + 1])
        ends.insert(k + 1, at)
