"""A plain line without an event list, in the engine's subset: parts follow each other, so every time follows from earlier ones.

For stations of one machine that take one part at a time and scrap none, with a part always ready before the first: a part
starts at a station when it has left the one before and the machine is free, and leaves it when it is finished and the part that
takes the last place before the next station has been taken. These are the times of `events`; no clock is searched.
"""

from __future__ import annotations

from twin.lines.events import (
    BLOCKED,
    BUSY,
    DOWN,
    FAR,
    FINISHED,
    IDLE,
    KEPT,
    PARTS,
    PRODUCTS,
    SETTING,
    STATIONS,
    LineRecord,
    book,
    prepare,
)
from twin.lines.random_numbers import sample


def work_on(r: LineRecord, s: int, begin: float, work: float, rep: int) -> float:
    """The end of a piece of work that begins at a time, with the breakdowns on the way."""
    now = begin
    left = work
    end = r.horizon[0]
    while r.alive[s] < left:
        stop = now + r.alive[s]
        book(r, s, BUSY, now, stop, rep)
        left -= r.alive[s]
        now = stop + sample(r.repair[s], r.stream, r.pool)
        book(r, s, DOWN, stop, now, rep)
        if stop < end:
            r.totals[rep][3] += 1.0
        if now >= end:
            return now
        r.totals[rep][3] += 1.0
        r.alive[s] = sample(r.life[s], r.stream, r.pool)
    if r.alive[s] < FAR:
        r.alive[s] -= left
    book(r, s, BUSY, now, now + left, rep)
    return now + left


def pass_station(r: LineRecord, s: int, product: int, ready: float, rep: int) -> float:
    """When a part leaves a station; `clock` keeps when the machine is free again, `since` when this part was taken."""
    products = r.size[PRODUCTS]
    end = r.horizon[0]
    start = max(ready, r.clock[s])
    book(r, s, IDLE, r.clock[s], start, rep)
    r.clock[s] = start
    if start >= end:
        return FAR
    r.since[s] = start
    begin = start
    if r.was[s] >= 0 and r.was[s] != product:
        begin += r.setup[s * products + r.was[s]][product]
        book(r, s, SETTING, start, begin, rep)
        if begin > start and begin < end:
            r.totals[rep][3] += 1.0
    r.was[s] = product
    r.clock[s] = FAR
    if begin >= end:
        return FAR
    done = work_on(r, s, begin, sample(r.work[s * products + product], r.stream, r.pool), rep)
    if done >= end:
        return FAR
    r.totals[rep][3] += 1.0
    leave = done
    if s + 1 < r.size[STATIONS]:
        before = r.taken[s + 1]
        leave = max(done, before[r.head[s + 1]])
        book(r, s, BLOCKED, done, leave, rep)
    r.clock[s] = leave
    return leave


def follow(r: LineRecord, rep: int) -> int:
    """One replication: part after part through all stations."""
    stations = r.size[STATIONS]
    end = r.horizon[0]
    warm = r.horizon[1]
    prepare(r, rep)
    for s in range(stations):
        r.clock[s] = 0.0
        taken = r.taken[s]
        for i in range(r.room[s]):
            taken[i] = 0.0
    totals = r.totals[rep]
    made = r.made[rep]
    turn = 0
    area = 0.0
    while r.clock[0] < end:
        if r.span[2] != 0:
            return 0
        product = r.sequence[turn]
        turn += 1
        if turn == r.size[PARTS]:
            turn = 0
        leave = 0.0
        for s in range(stations):
            r.since[s] = FAR  # unless it is taken
            if leave < end:
                leave = pass_station(r, s, product, leave, rep)
            taken = r.taken[s]
            taken[r.head[s]] = r.since[s]
        for s in range(stations):
            head = r.head[s] + 1
            r.head[s] = head if head < r.room[s] else 0
        stop = min(leave, end)
        area += stop - min(stop, max(r.since[0], warm))
        if leave < end:
            if leave >= warm:
                totals[0] += 1.0
                totals[1] += 1.0
                made[product] += 1
            if rep == 0 and r.tally[FINISHED] < r.size[KEPT]:
                line = r.log[r.tally[FINISHED]]
                line[0] = leave
                line[1] = float(product)
            r.tally[FINISHED] += 1
    for s in range(stations):
        book(r, s, IDLE, r.clock[s], end, rep)
    totals[2] = end
    totals[4] = area / (end - warm)
    return 1


def run_in_turn(r: LineRecord) -> int:
    """Replications from `span[0]` to `span[1]` - 1."""
    for rep in range(r.span[0], r.span[1]):
        if follow(r, rep) == 0:
            return rep
    return r.span[1]
