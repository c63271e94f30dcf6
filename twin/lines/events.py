"""One replication of a line of stations, event by event, in the engine's subset.

Every machine of every station is idle, busy, blocked (its part has no place to go), down, or setting up. The next event is the
earliest of the machines' clocks; lines have few machines, so a scan is faster than a heap. Breakdowns count busy time only and
stop the part in work, which goes on after the repair. A part that finishes moves on at once where there is room, and frees
what waits before it.
"""

from __future__ import annotations

from typing import NamedTuple

from twin.engine.records import IntegerRows, Integers, Matrix, Vector
from twin.lines.random_numbers import AHEAD, NEXT, sample, uniform

STATIONS, MACHINES, PRODUCTS, PARTS, LIMIT, KEPT = 0, 1, 2, 3, 4, 5
IDLE, BUSY, BLOCKED, DOWN, SETTING = 0, 1, 2, 3, 4
COME, INSIDE, LOST, FINISHED, COUNTED = 0, 1, 2, 3, 4
FAR = 1.0e300


class LineRecord(NamedTuple):
    """A line and the work space of one replication at a time."""

    size: Integers  # STATIONS, MACHINES, PRODUCTS, PARTS of the sequence, LIMIT of counted parts (0: none), KEPT departures
    horizon: Vector  # end of time, start of counting
    station: Integers  # of each machine
    first: Integers  # first machine of each station, and the end
    room: Integers  # places before each station
    batch: Integers  # parts that a machine takes at once
    work: Matrix  # law of the time of a product at a station, row station * PRODUCTS + product
    life: Matrix  # law of the busy time to a breakdown of each station, kind -1: never
    repair: Matrix
    setup: Matrix  # row station * PRODUCTS + product before, column product after: time
    arrival: Matrix  # one row: law of the time between arrivals, kind -1: there is always a part
    sequence: Integers  # products in turn, repeated
    good: Vector  # share of good parts of each station
    state: Integers  # of each machine
    clock: Vector  # time of its next event
    left: Vector  # work that is left of a part that a breakdown stopped
    alive: Vector  # busy time to the next breakdown
    since: Vector  # when its state began
    product: Integers  # in work, -1: none
    was: Integers  # last product, for setups
    queue: IntegerRows  # products that wait before each station
    head: Integers
    held: Integers
    taken: Matrix  # when the last parts were taken from the places before each station, as many as there are
    stream: Integers  # state of the random numbers
    pool: Vector  # numbers made ahead
    streams: IntegerRows  # one row a replication
    span: Integers  # first and end of the replications, stop flag
    times: Matrix  # [replication][machine * 5 + state]: time in each state
    totals: Matrix  # [replication]: finished, good, end of time, events, average number of parts, blocked arrivals
    log: Matrix  # departures of the first replication: time, product
    made: IntegerRows  # [replication][product]: good parts
    tally: Integers  # COME, INSIDE, LOST, FINISHED, COUNTED


def book(r: LineRecord, m: int, state: int, begin: float, end: float, rep: int) -> int:
    """Book the time of a machine in a state, as far as it is counted."""
    low = max(begin, r.horizon[1])
    high = min(end, r.horizon[0])
    times = r.times[rep]
    times[m * 5 + state] += high - min(low, high)  # no branch: whether a part waits cannot be predicted
    return 0


def note(r: LineRecord, m: int, now: float, rep: int) -> int:
    """Book the time of a machine in its state up to now."""
    book(r, m, r.state[m], r.since[m], now, rep)
    r.since[m] = now
    return 0


def begin_work(r: LineRecord, m: int, now: float, work: float) -> int:
    """A machine works until its part is done or it breaks down."""
    r.state[m] = BUSY
    r.left[m] = work
    if r.alive[m] < work:
        r.clock[m] = now + r.alive[m]
    else:
        r.clock[m] = now + work
    return 0


def take(r: LineRecord, m: int, now: float, rep: int) -> int:
    """An idle machine takes a part from before its station; 1 where it did."""
    s = r.station[m]
    if r.held[s] < r.batch[s]:
        return 0
    queue = r.queue[s]
    places = r.room[s]
    product = queue[r.head[s]]
    head = r.head[s] + r.batch[s]
    if head >= places:
        head -= places
    r.head[s] = head
    r.held[s] -= r.batch[s]
    if s == 0 and r.arrival[0][0] < 0.0:
        r.tally[INSIDE] += r.batch[s]
    note(r, m, now, rep)
    before = r.was[m]
    r.product[m] = product
    r.was[m] = product
    change = 0.0
    if before >= 0 and before != product:
        change = r.setup[s * r.size[PRODUCTS] + before][product]
    if change > 0.0:
        r.state[m] = SETTING
        r.clock[m] = now + change
    else:
        begin_work(r, m, now, sample(r.work[s * r.size[PRODUCTS] + product], r.stream, r.pool))
    return 1


def wake(r: LineRecord, s: int, now: float, rep: int) -> int:
    """Idle machines of a station take what waits; 1 where any did."""
    any_taken = 0
    for m in range(r.first[s], r.first[s + 1]):
        if r.state[m] == IDLE and take(r, m, now, rep) == 1:
            any_taken = 1
    return any_taken


def enter(r: LineRecord, s: int, product: int) -> int:
    """A part goes to the places before a station."""
    queue = r.queue[s]
    at = r.head[s] + r.held[s]
    if at >= r.room[s]:
        at -= r.room[s]
    queue[at] = product
    r.held[s] += 1
    return 0


def push(r: LineRecord, s: int, now: float, rep: int) -> int:
    """Blocked machines of a station move their parts on while there is room; 1 where any did."""
    moved = 0
    for m in range(r.first[s], r.first[s + 1]):
        if r.state[m] == BLOCKED and r.held[s + 1] + r.batch[s] <= r.room[s + 1]:
            for _i in range(r.batch[s]):
                enter(r, s + 1, r.product[m])
            note(r, m, now, rep)
            r.state[m] = IDLE
            r.product[m] = -1
            r.clock[m] = FAR
            moved = 1
            wake(r, s + 1, now, rep)
    return moved


def feed(r: LineRecord) -> int:
    """Where there is always a part: fill the places before the first station."""
    while r.held[0] < r.room[0]:
        enter(r, 0, r.sequence[r.tally[COME]])
        r.tally[COME] += 1
        if r.tally[COME] == r.size[PARTS]:
            r.tally[COME] = 0
    return 0


def advance(r: LineRecord, at: int, now: float, rep: int) -> int:
    """After a machine of a station has finished: move its part on, let it take the next one, and so on upstream as places come
    free.
    """
    s = at
    while s >= 0:
        moved = 0
        if s + 1 < r.size[STATIONS]:
            again = push(r, s, now, rep)
            moved = again
            while again == 1 and r.first[s + 1] - r.first[s] > 1:
                again = push(r, s, now, rep)
        taken = wake(r, s, now, rep)
        if s == 0 and r.arrival[0][0] < 0.0:
            feed(r)
            while wake(r, 0, now, rep) == 1:
                feed(r)
                taken = 1
        if moved == 0 and taken == 0:
            return 0
        s -= 1
    return 0


def prepare(r: LineRecord, rep: int) -> int:
    """An empty line with the random numbers of a replication."""
    stations = r.size[STATIONS]
    machines = r.size[MACHINES]
    row = r.streams[rep]
    for i in range(6):
        r.stream[i] = row[i]
    r.stream[NEXT] = AHEAD
    totals = r.totals[rep]
    times = r.times[rep]
    for i in range(6):
        totals[i] = 0.0
    for i in range(machines * 5):
        times[i] = 0.0
    for s in range(stations):
        r.head[s] = 0
        r.held[s] = 0
    for m in range(machines):
        r.state[m] = IDLE
        r.clock[m] = FAR
        r.since[m] = 0.0
        r.product[m] = -1
        r.was[m] = -1
        r.alive[m] = FAR
        s = r.station[m]
        if r.life[s][0] >= 0.0:
            r.alive[m] = sample(r.life[s], r.stream, r.pool)
    made = r.made[rep]
    for p in range(r.size[PRODUCTS]):
        made[p] = 0
    for i in range(5):
        r.tally[i] = 0
    return 0


def replicate(r: LineRecord, rep: int) -> int:
    """One replication."""
    stations = r.size[STATIONS]
    machines = r.size[MACHINES]
    totals = r.totals[rep]
    made = r.made[rep]
    prepare(r, rep)
    now = 0.0
    events = 0
    area = 0.0
    last_time = r.horizon[1]
    arrival = FAR
    if r.arrival[0][0] >= 0.0:
        arrival = sample(r.arrival[0], r.stream, r.pool)
    advance(r, 0, now, rep)
    end = r.horizon[0]
    clock = r.clock
    going = 1
    while going == 1:
        if r.span[2] != 0:
            return 0
        best = arrival
        which = -1
        for m in range(machines):  # without a branch: which clock is next cannot be predicted
            time = clock[m]
            which = m if time < best else which
            best = time if time < best else best
        if best >= end:
            going = 0
            now = end
            continue
        if best > last_time:
            area += r.tally[INSIDE] * (best - last_time)
            last_time = best
        now = best
        events += 1
        if which < 0:
            if r.held[0] < r.room[0]:
                enter(r, 0, r.sequence[r.tally[COME]])
                r.tally[INSIDE] += 1
            else:
                r.tally[LOST] += 1
            r.tally[COME] += 1
            if r.tally[COME] == r.size[PARTS]:
                r.tally[COME] = 0
            arrival = now + sample(r.arrival[0], r.stream, r.pool)
            wake(r, 0, now, rep)
            continue
        m = which
        s = r.station[m]
        note(r, m, now, rep)
        if r.state[m] == SETTING:
            begin_work(r, m, now, sample(r.work[s * r.size[PRODUCTS] + r.product[m]], r.stream, r.pool))
        elif r.state[m] == DOWN:
            r.alive[m] = sample(r.life[s], r.stream, r.pool)
            begin_work(r, m, now, r.left[m])
        elif r.alive[m] < r.left[m]:
            r.left[m] -= r.alive[m]
            r.state[m] = DOWN
            r.clock[m] = now + sample(r.repair[s], r.stream, r.pool)
        else:
            if r.alive[m] < FAR:
                r.alive[m] -= r.left[m]
            fine = r.batch[s]
            scrap = 0
            if r.good[s] < 1.0 and uniform(r.stream, r.pool) > r.good[s]:
                scrap = 1
            if s == stations - 1 or scrap == 1:
                r.tally[INSIDE] -= fine
                if now >= r.horizon[1]:
                    r.tally[COUNTED] += fine
                    totals[0] += fine
                    if scrap == 0:
                        totals[1] += fine
                        made[r.product[m]] += fine
                if rep == 0 and r.tally[FINISHED] < r.size[KEPT]:
                    line = r.log[r.tally[FINISHED]]
                    line[0] = now
                    line[1] = float(r.product[m])
                r.tally[FINISHED] += 1
                r.state[m] = IDLE
                r.product[m] = -1
                r.clock[m] = FAR
            else:
                r.state[m] = BLOCKED
                r.clock[m] = FAR
            advance(r, s, now, rep)
            if r.size[LIMIT] > 0 and r.tally[COUNTED] >= r.size[LIMIT]:
                going = 0
    for m in range(machines):
        note(r, m, now, rep)
    if now > last_time:
        area += r.tally[INSIDE] * (now - last_time)
    totals[2] = now
    totals[3] = float(events)
    if now > r.horizon[1]:
        totals[4] = area / (now - r.horizon[1])
    totals[5] = float(r.tally[LOST])
    return 1


def run_line(r: LineRecord) -> int:
    """Replications from `span[0]` to `span[1]` - 1."""
    for rep in range(r.span[0], r.span[1]):
        if replicate(r, rep) == 0:
            return rep
    return r.span[1]
