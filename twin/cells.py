"""Transport between equal cells in a row, for `cell(left, own, right, s)` (numbers) and for whole arrays alike."""

from __future__ import annotations

from typing import Any

from twin.lazy import jnp


def upwind(left: Any, own: Any, right: Any, velocity: Any, dz: Any, width: float | None = None) -> Any:
    """Rate of change of `own` by convection, first order, taken from the side the flow comes from.

    Parameters
    ----------
    left, own, right
        Values of three neighbors, in any unit.
    velocity
        Positive from left to right [length/time]. Of one sign unless `width` is given.
    dz
        Cell length.
    width
        Velocity below which the two directions blend smoothly, for flows that turn; without it the flow must not turn:
        then only `left` counts.

    Examples
    --------
    >>> upwind(3.0, 2.0, 0.0, 0.5, 0.1)
    5.0
    """
    if width is None:
        return velocity * (left - own) / dz
    size = jnp.sqrt(velocity * velocity + width * width)
    return (0.5 * (velocity + size) * (left - own) + 0.5 * (size - velocity) * (right - own)) / dz


def counterflow(own: Any, right: Any, speed: Any, dz: Any) -> Any:
    """Rate of change of `own` by convection from right to left with `speed` > 0."""
    return speed * (right - own) / dz


def diffusion(left: Any, own: Any, right: Any, coefficient: Any, dz: Any) -> Any:
    """Rate of change of `own` by diffusion, second order, constant coefficient [length**2/time].

    Examples
    --------
    >>> diffusion(1.0, 0.0, 1.0, 0.5, 1.0)
    1.0
    """
    return coefficient * (left - 2.0 * own + right) / (dz * dz)


def conduction(left: Any, own: Any, right: Any, k_left: Any, k_own: Any, k_right: Any, dz: Any) -> Any:
    """Like `diffusion` where the coefficient varies: each face takes the harmonic mean of its two cells.

    What leaves one cell enters the next, so the total is conserved.
    """
    west = 2.0 * k_left * k_own / (k_left + k_own)
    east = 2.0 * k_own * k_right / (k_own + k_right)
    return (west * (left - own) + east * (right - own)) / (dz * dz)


def neighbors(field: Any, first: Any, last: Any) -> tuple[Any, Any, Any]:
    """Arrays (left, own, right) of a field of n cells, with the values `first` and `last` beyond its ends."""
    field = jnp.asarray(field)
    left = jnp.concatenate([jnp.reshape(jnp.asarray(first, field.dtype), (1,)), field[:-1]])
    right = jnp.concatenate([field[1:], jnp.reshape(jnp.asarray(last, field.dtype), (1,))])
    return left, field, right
