"""Random numbers of event simulations, in the engine's subset: the combined generator MRG32k3a (L'Ecuyer 1999, DOI
10.1287/opre.47.1.159) and draws from distributions. Six whole numbers are the state of a stream.
"""

from __future__ import annotations

from math import log

from twin.engine.records import Integers, Vector

# What a draw is made of: a row (KIND, A, B, C)
CONSTANT, EXPONENTIAL, UNIFORM, TRIANGULAR, WEIBULL, NORMAL, LOGNORMAL = 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0
MODULUS_1, MODULUS_2 = 4294967087, 4294944443


def uniform(state: Integers) -> float:
    """A number between 0 and 1, never 0 and never 1."""
    # Terms are made positive before the remainder is taken, and the last choice is no branch: signs here cannot be predicted.
    p = (1403580 * state[1] + 810728 * (MODULUS_1 - state[0])) % MODULUS_1
    state[0] = state[1]
    state[1] = state[2]
    state[2] = p
    q = (527612 * state[5] + 1370589 * (MODULUS_2 - state[3])) % MODULUS_2
    state[3] = state[4]
    state[4] = state[5]
    state[5] = q
    d = p - q
    d = d if d > 0 else d + MODULUS_1
    return d * 2.328306549295728e-10


def normal(state: Integers) -> float:
    """A standard normal number (Marsaglia's polar method; the second number is dropped, so that streams keep no more state)."""
    size = 2.0
    x = 0.0
    while size >= 1.0 or size == 0.0:
        x = 2.0 * uniform(state) - 1.0
        y = 2.0 * uniform(state) - 1.0
        size = x * x + y * y
    return x * (-2.0 * log(size) / size) ** 0.5


def exponential_of(x: float) -> float:
    """e to the x, for the lognormal distribution."""
    return 2.718281828459045**x


def sample(law: Vector, state: Integers) -> float:
    """A time by a law (KIND, A, B, C); a constant takes no random number."""
    kind = law[0]
    value = law[1]
    if kind == EXPONENTIAL:
        value = -law[1] * log(uniform(state))
    elif kind == UNIFORM:
        value = law[1] + (law[2] - law[1]) * uniform(state)
    elif kind == TRIANGULAR:
        u = uniform(state)
        width = law[3] - law[1]
        cut = 1.0
        if width > 0.0:
            cut = (law[2] - law[1]) / width
        if u < cut:
            value = law[1] + (u * width * (law[2] - law[1])) ** 0.5
        else:
            value = law[3] - ((1.0 - u) * width * (law[3] - law[2])) ** 0.5
    elif kind == WEIBULL:
        value = law[1] * (-log(uniform(state))) ** (1.0 / law[2])
    elif kind == NORMAL:
        value = law[1] + law[2] * normal(state)
        if value < 0.0:
            value = 0.0
    elif kind == LOGNORMAL:
        value = exponential_of(law[1] + law[2] * normal(state))
    return value
