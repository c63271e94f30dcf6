"""Orders as chains of stages on units: the best place of one order among the others, exactly; removal, search by many of both;
a bound.

In the engine's subset of Python (`twin/engine`). Times are whole steps. The best place of an order is a shortest path over
(stage, end): every start that its unit's neighbors, changeovers, closed windows and the power limit allow, joined by the least
cost over the allowed waits.
"""

from __future__ import annotations

from typing import NamedTuple

from twin.engine.records import IntegerRows, Integers, Matrix, Vector

ORDERS, STAGES, UNITS, STEPS, FAMILIES = 0, 1, 2, 3, 4
# Chains.tune
SEED, ROUNDS, MOST, STOP, ACCEPTED = 0, 1, 2, 3, 4
# Chains.heat
WARM, COLD, BEST, NOW = 0, 1, 2, 3
FAR = 1.0e17
NOWHERE = 1.0e18


class Chains(NamedTuple):
    """A plan whose orders are chains: what is given, where every task is, and work space."""

    size: Integers
    stages: Integers  # of each order
    release: Integers
    due: Integers
    latest: Integers  # end of the order at the latest
    weight: Vector
    modes: Integers  # of each row; a row is a stage of an order, order * STAGES + stage
    unit: IntegerRows
    length: IntegerRows
    power: Matrix
    extra: Matrix  # cost of a mode besides energy
    family: Integers  # of each row
    wait_low: Integers  # between the stage before and this row
    wait_high: Integers
    price: Vector  # cost of one power unit from 0 to each step
    limit: Vector
    penalty: Matrix  # multipliers of unit and step, summed up to each step
    shut: IntegerRows  # closed steps of each unit up to each step
    setup: IntegerRows  # row unit * FAMILIES + family before, column family after
    setup_cost: Matrix
    line: IntegerRows  # rows on each unit in order
    held: Integers  # how many there are
    start: Integers  # of each row, -1 where it is not placed
    mode: Integers
    load: Vector  # power in each step
    cost: Matrix  # best cost of a stage that ends at each step
    by: IntegerRows  # its mode
    ready: Vector  # best cost up to a start at each step
    spare: Vector
    blocked: Integers  # closed or short of power: how many steps before each one
    old_start: Integers
    old_mode: Integers
    best_start: Integers
    best_mode: Integers
    chosen: Integers  # orders taken out
    use: Matrix  # steps of each unit that relaxed orders take
    tune: Integers
    heat: Vector


def draw(c: Chains, below: int) -> int:
    """A random whole number from 0 to below - 1 (minimal standard generator)."""
    c.tune[SEED] = c.tune[SEED] * 48271 % 2147483647
    return c.tune[SEED] % below


def lateness(c: Chains, order: int, end: int) -> float:
    """Weighted tardiness of an order that ends at a step."""
    late = 0.0
    if end > c.due[order] and c.due[order] >= 0:
        late = c.weight[order] * (end - c.due[order])
    return late


def overlap(out: Vector, given: Vector, shift: int, count: int) -> int:
    """The lesser of each number and the one `shift` places before it."""
    for t in range(shift):
        out[t] = given[t]
    for t in range(shift, count):
        out[t] = min(given[t], given[t - shift])
    return 0


def delay(out: Vector, given: Vector, shift: int, count: int) -> int:
    """Each number `shift` places later, nothing before."""
    for t in range(shift):
        out[t] = NOWHERE
    for t in range(shift, count):
        out[t] = given[t - shift]
    return 0


def get_ready(c: Chains, order: int, stage: int) -> int:
    """Least cost up to a start of a stage at each step, over the ends of the stage before that the waits allow."""
    count = c.size[STEPS] + 1
    ready = c.ready
    if stage == 0:
        for t in range(count):
            ready[t] = 0.0
        for t in range(c.release[order]):
            ready[t] = NOWHERE
        return 0
    row = order * c.size[STAGES] + stage
    before = c.cost[stage - 1]
    spare = c.spare
    width = c.wait_high[row] - c.wait_low[row] + 1
    if width >= count:  # any time after the end: the least so far
        least = NOWHERE
        for t in range(count):
            least = min(least, before[t])
            spare[t] = least
        delay(ready, spare, c.wait_low[row], count)
        return 0
    # The least of 2, 4, 8 ... ends in a row from the least of half as many, the rest by two that overlap.
    overlap(spare, before, 0, count)
    had = 1
    while had < width:
        shift = had if had < width - had else width - had
        overlap(ready, spare, shift, count)
        had += shift
        shift = had if had < width - had else width - had
        overlap(spare, ready, shift, count)
        had += shift
    delay(ready, spare, c.wait_low[row], count)
    return 0


def end_before(c: Chains, order: int, stage: int, start: int) -> int:
    """The end of the stage before from which `ready` at a start comes; the latest of several."""
    row = order * c.size[STAGES] + stage
    before = c.cost[stage - 1]
    best = start - c.wait_low[row]
    first = start - c.wait_high[row]
    first = first if first > 0 else 0
    for e in range(first, start - c.wait_low[row] + 1):
        best = e if before[e] <= before[best] else best
    return best


def lacking(load: Vector, limit: Vector, power: float, first: int, last: int) -> int:
    """How many steps leave too little power."""
    total = 0
    for t in range(first, last):
        total += 1 if load[t] + power > limit[t] + 1.0e-9 else 0
    return total


def block(blocked: Integers, shut: Integers, load: Vector, limit: Vector, power: float, first: int, last: int) -> int:
    """How many steps before each one are closed or leave too little power."""
    for t in range(first, last):
        blocked[t + 1] = shut[t + 1] - shut[t] + (1 if load[t] + power > limit[t] + 1.0e-9 else 0)
    total = 0
    blocked[first] = 0
    for t in range(first, last):
        total += blocked[t + 1]
        blocked[t + 1] = total
    return 0


def try_gap(cost: Vector, by: Integers, ready: Vector, price: Vector, penalty: Vector, blocked: Integers, first: int, last: int,
            length: int, power: float, base: float, k: int) -> int:
    """Cost of every start of a mode within a gap of its unit; without branches, so that several are done at once."""
    for t in range(first, last + 1):
        value = ready[t] + base + power * (price[t + length] - price[t]) + penalty[t + length] - penalty[t]
        value = value if blocked[t + length] == blocked[t] else NOWHERE
        old = cost[t + length]
        by[t + length] = k if value < old else by[t + length]
        cost[t + length] = value if value < old else old
    return 0


def shortest(c: Chains, row: int) -> int:
    """Least duration of a row."""
    least = c.length[row][0]
    for k in range(1, c.modes[row]):
        least = c.length[row][k] if c.length[row][k] < least else least
    return least


def best_place(c: Chains, order: int, alone: int) -> float:
    """Least cost of an order among those that are placed (alone: on empty units); `start` and `mode` of its rows are set, -1
    without a place.
    """
    steps = c.size[STEPS]
    families = c.size[FAMILIES]
    early = c.release[order]
    late = c.latest[order]
    for stage in range(1, c.stages[order]):
        row = order * c.size[STAGES] + stage
        late -= shortest(c, row) + c.wait_low[row]
    for stage in range(c.stages[order]):
        row = order * c.size[STAGES] + stage
        get_ready(c, order, stage)
        cost = c.cost[stage]
        for e in range(steps + 1):
            cost[e] = NOWHERE
        mine = c.family[row]
        for k in range(c.modes[row]):
            unit = c.unit[row][k]
            length = c.length[row][k]
            power = c.power[row][k]
            base = c.extra[row][k]
            end = late - length
            if alone == 1:
                try_gap(cost, c.by[stage], c.ready, c.price, c.penalty[unit], c.shut[unit], early, end, length, power, base, k)
                continue
            shut = c.shut[unit]
            if power > 0.0 and lacking(c.load, c.limit, power, early, late) > 0:
                block(c.blocked, shut, c.load, c.limit, power, early, late)
                shut = c.blocked
            line = c.line[unit]
            free = 0
            before = -1
            for i in range(c.held[unit] + 1):
                stop = end
                change = 0.0
                if before >= 0:
                    change += c.setup_cost[unit * families + before][mine]
                if i < c.held[unit]:
                    other = line[i]
                    after = c.family[other]
                    stop = c.start[other] - length - c.setup[unit * families + mine][after]
                    change += c.setup_cost[unit * families + mine][after]
                    if before >= 0:
                        change -= c.setup_cost[unit * families + before][after]
                begin = free
                if before >= 0:
                    begin += c.setup[unit * families + before][mine]
                begin = begin if begin > early else early
                stop = stop if stop < end else end
                if begin <= stop:
                    try_gap(cost, c.by[stage], c.ready, c.price, c.penalty[unit], shut, begin, stop, length, power,
                            base + change, k)
                if i < c.held[unit]:
                    other = line[i]
                    free = c.start[other] + c.length[other][c.mode[other]]
                    before = c.family[other]
        early += shortest(c, row)
        if stage + 1 < c.stages[order]:
            early += c.wait_low[row + 1]
            late += shortest(c, row + 1) + c.wait_low[row + 1]
    stage = c.stages[order] - 1
    cost = c.cost[stage]
    best = FAR
    end = -1
    for e in range(steps + 1):
        value = cost[e] + lateness(c, order, e)
        if value < best:
            best = value
            end = e
    if end < 0:
        return NOWHERE
    while stage >= 0:
        row = order * c.size[STAGES] + stage
        k = c.by[stage][end]
        c.mode[row] = k
        c.start[row] = end - c.length[row][k]
        if stage > 0:
            end = end_before(c, order, stage, c.start[row])
        stage -= 1
    return best


def put(c: Chains, order: int) -> int:
    """Enter an order, whose starts and modes are set, into the lines of its units."""
    for stage in range(c.stages[order]):
        row = order * c.size[STAGES] + stage
        k = c.mode[row]
        unit = c.unit[row][k]
        line = c.line[unit]
        i = c.held[unit]
        while i > 0 and c.start[line[i - 1]] > c.start[row]:
            line[i] = line[i - 1]
            i -= 1
        line[i] = row
        c.held[unit] += 1
        for t in range(c.start[row], c.start[row] + c.length[row][k]):
            c.load[t] += c.power[row][k]
    return 0


def take(c: Chains, order: int) -> int:
    """Take an order out of the lines of its units."""
    for stage in range(c.stages[order]):
        row = order * c.size[STAGES] + stage
        k = c.mode[row]
        unit = c.unit[row][k]
        line = c.line[unit]
        i = 0
        while line[i] != row:
            i += 1
        c.held[unit] -= 1
        while i < c.held[unit]:
            line[i] = line[i + 1]
            i += 1
        for t in range(c.start[row], c.start[row] + c.length[row][k]):
            c.load[t] -= c.power[row][k]
    return 0


def total(c: Chains) -> float:
    """Cost of everything that is placed."""
    value = 0.0
    families = c.size[FAMILIES]
    for order in range(c.size[ORDERS]):
        row = order * c.size[STAGES]
        for stage in range(c.stages[order]):
            k = c.mode[row]
            t = c.start[row]
            end = t + c.length[row][k]
            value += c.extra[row][k] + c.power[row][k] * (c.price[end] - c.price[t])
            if stage == c.stages[order] - 1:
                value += lateness(c, order, end)
            row += 1
    for unit in range(c.size[UNITS]):
        line = c.line[unit]
        for i in range(1, c.held[unit]):
            value += c.setup_cost[unit * families + c.family[line[i - 1]]][c.family[line[i]]]
    return value


def pick(c: Chains, number: int) -> int:
    """Orders to take out: any, or neighbors on a unit; how many they are."""
    count = 0
    orders = c.size[ORDERS]
    near = draw(c, 3)
    if near > 0:
        row = draw(c, orders) * c.size[STAGES]
        row += draw(c, c.stages[row // c.size[STAGES]])
        unit = c.unit[row][c.mode[row]]
        first = draw(c, c.held[unit])
        line = c.line[unit]
        for i in range(first, c.held[unit]):
            if count < number:
                order = line[i] // c.size[STAGES]
                new = 1
                for j in range(count):
                    if c.chosen[j] == order:
                        new = 0
                if new == 1:
                    c.chosen[count] = order
                    count += 1
    while count < number:
        order = draw(c, orders)
        new = 1
        for j in range(count):
            if c.chosen[j] == order:
                new = 0
        if new == 1:
            c.chosen[count] = order
            count += 1
    for i in range(count):
        j = i + draw(c, count - i)
        order = c.chosen[i]
        c.chosen[i] = c.chosen[j]
        c.chosen[j] = order
    return count


def reinsert(c: Chains, count: int) -> int:
    """Put the chosen orders back one after another, each at its best place; 0 where one has none."""
    for i in range(count):
        found = best_place(c, c.chosen[i], 0)
        if found > FAR:
            for j in range(i):
                take(c, c.chosen[j])
            return 0
        put(c, c.chosen[i])
    return 1


def keep(c: Chains) -> int:
    """Remember the plan as the best."""
    for row in range(c.size[ORDERS] * c.size[STAGES]):
        c.best_start[row] = c.start[row]
        c.best_mode[row] = c.mode[row]
    return 0


def search(c: Chains) -> int:
    """Take a few orders out, put each back at its best place, keep what is better or little worse; ROUNDS times."""
    rounds = c.tune[ROUNDS]
    now = total(c)
    stages = c.size[STAGES]
    for r in range(rounds):
        if c.tune[STOP] != 0:
            return r
        heat = c.heat[WARM] + (c.heat[COLD] - c.heat[WARM]) * r / rounds
        most = c.tune[MOST]
        if most > c.size[ORDERS]:
            most = c.size[ORDERS]
        count = pick(c, 1 + draw(c, most))
        for i in range(count):
            first = c.chosen[i] * stages
            for row in range(first, first + c.stages[c.chosen[i]]):
                c.old_start[row] = c.start[row]
                c.old_mode[row] = c.mode[row]
            take(c, c.chosen[i])
        done = reinsert(c, count)
        new = NOWHERE
        if done == 1:
            new = total(c)
        if new <= now + heat * draw(c, 1000000) / 1000000.0:
            now = new
            c.tune[ACCEPTED] += 1
            if now < c.heat[BEST] - 1.0e-9:
                c.heat[BEST] = now
                keep(c)
        else:
            for i in range(count):
                if done == 1:
                    take(c, c.chosen[i])
            for i in range(count):
                first = c.chosen[i] * stages
                for row in range(first, first + c.stages[c.chosen[i]]):
                    c.start[row] = c.old_start[row]
                    c.mode[row] = c.old_mode[row]
                put(c, c.chosen[i])
    c.heat[NOW] = now
    return rounds


def relax(c: Chains) -> int:
    """Every order at its best place alone under the multipliers; the sum of the costs, and the steps of each unit that they
    take.
    """
    value = 0.0
    for unit in range(c.size[UNITS]):
        use = c.use[unit]
        for t in range(c.size[STEPS]):
            use[t] = 0.0
    for t in range(c.size[STEPS]):
        c.load[t] = 0.0
    for order in range(c.size[ORDERS]):
        found = best_place(c, order, 1)
        value += found
        if found < FAR:
            for stage in range(c.stages[order]):
                row = order * c.size[STAGES] + stage
                k = c.mode[row]
                use = c.use[c.unit[row][k]]
                for t in range(c.start[row], c.start[row] + c.length[row][k]):
                    use[t] += 1.0
    c.heat[NOW] = value
    return 0


def first(c: Chains) -> int:
    """Put the orders in `chosen` in one after another, each at its best place; how many found one."""
    for i in range(c.size[ORDERS]):
        found = best_place(c, c.chosen[i], 0)
        if found > FAR:
            return i
        put(c, c.chosen[i])
    c.heat[NOW] = total(c)
    return c.size[ORDERS]


def enter(c: Chains) -> int:
    """Enter all orders as `start` and `mode` say into empty lines."""
    for order in range(c.size[ORDERS]):
        put(c, order)
    c.heat[NOW] = total(c)
    return c.size[ORDERS]
