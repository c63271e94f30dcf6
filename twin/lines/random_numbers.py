"""Random numbers of event simulations, in the engine's subset: the combined generator MRG32k3a (L'Ecuyer 1999, DOI
10.1287/opre.47.1.159) and draws from distributions. Six whole numbers are the state of a stream, the seventh counts the numbers
that were made ahead and are used.
"""

from __future__ import annotations

from math import log

from twin.engine.records import Integers, Vector

# What a draw is made of: a row (KIND, A, B, C)
CONSTANT, EXPONENTIAL, UNIFORM, TRIANGULAR, WEIBULL, NORMAL, LOGNORMAL = 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0
MODULUS_1, MODULUS_2 = 4294967087, 4294944443


# Numbers are made ahead, many at once: the processor overlaps them, which it cannot where the next event waits for each.
AHEAD = 32
NEXT = 6  # state[NEXT]: the first number that is not used yet; AHEAD: none is left


def make(state: Integers, pool: Vector) -> int:
    """The next AHEAD numbers between 0 and 1 (never 0, never 1) to the pool, and behind them less their logarithms."""
    a = state[0]
    b = state[1]
    c = state[2]
    e = state[3]
    f = state[4]
    g = state[5]
    for i in range(AHEAD):
        # Terms are made positive before the remainder is taken, and the last choice is no branch: signs cannot be predicted.
        p = (1403580 * b + 810728 * (MODULUS_1 - a)) % MODULUS_1
        a = b
        b = c
        c = p
        q = (527612 * g + 1370589 * (MODULUS_2 - e)) % MODULUS_2
        e = f
        f = g
        g = q
        d = p - q
        d = d if d > 0 else d + MODULUS_1
        pool[i] = d * 2.328306549295728e-10
    state[0] = a
    state[1] = b
    state[2] = c
    state[3] = e
    state[4] = f
    state[5] = g
    for i in range(AHEAD):
        pool[AHEAD + i] = -log(pool[i])
    state[NEXT] = 0
    return 0


def uniform(state: Integers, pool: Vector) -> float:
    """A number between 0 and 1, never 0 and never 1."""
    if state[NEXT] == AHEAD:
        make(state, pool)
    i = state[NEXT]
    state[NEXT] = i + 1
    return pool[i]


def exponential(state: Integers, pool: Vector) -> float:
    """An exponential number of mean 1."""
    if state[NEXT] == AHEAD:
        make(state, pool)
    i = state[NEXT]
    state[NEXT] = i + 1
    return pool[AHEAD + i]


def normal(state: Integers, pool: Vector) -> float:
    """A standard normal number (Marsaglia's polar method; the second number is dropped, so that streams keep no more state)."""
    size = 2.0
    x = 0.0
    while size >= 1.0 or size == 0.0:
        x = 2.0 * uniform(state, pool) - 1.0
        y = 2.0 * uniform(state, pool) - 1.0
        size = x * x + y * y
    return x * (-2.0 * log(size) / size) ** 0.5


def exponential_of(x: float) -> float:
    """e to the x, for the lognormal distribution."""
    return 2.718281828459045**x


def sample(law: Vector, state: Integers, pool: Vector) -> float:
    """A time by a law (KIND, A, B, C); a constant takes no random number."""
    kind = law[0]
    value = law[1]
    if kind == EXPONENTIAL:
        value = law[1] * exponential(state, pool)
    elif kind == UNIFORM:
        value = law[1] + (law[2] - law[1]) * uniform(state, pool)
    elif kind == TRIANGULAR:
        u = uniform(state, pool)
        width = law[3] - law[1]
        cut = 1.0
        if width > 0.0:
            cut = (law[2] - law[1]) / width
        if u < cut:
            value = law[1] + (u * width * (law[2] - law[1])) ** 0.5
        else:
            value = law[3] - ((1.0 - u) * width * (law[3] - law[2])) ** 0.5
    elif kind == WEIBULL:
        value = law[1] * exponential(state, pool) ** (1.0 / law[2])
    elif kind == NORMAL:
        value = law[1] + law[2] * normal(state, pool)
        if value < 0.0:
            value = 0.0
    elif kind == LOGNORMAL:
        value = exponential_of(law[1] + law[2] * normal(state, pool))
    return value
