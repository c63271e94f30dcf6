"""Named values of one instant, and where each signal lies in a flat vector."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from twin import errors
from twin.signals import Signal


class Values:
    """Named read-only values of one instant: every signal by name, and `time`; units of a line as `s.kiln.t_bed`."""

    __slots__ = ("_of", "_values")

    def __init__(self, of: str, values: Mapping[str, Any]) -> None:
        self._of, self._values = of, dict(values)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in Values.__slots__:
            raise AttributeError(name)  # copy and pickle ask before the slots are filled
        if name in self._values:
            return self._values[name]
        below = {k[len(name) + 1:]: v for k, v in self._values.items() if k.startswith(name + ".")}
        if not below:
            raise errors.unknown("signal", name, self._of, self._values)
        return Values(f"{self._of}.{name}", below | {"time": self._values.get("time", 0.0)})

    def __getitem__(self, name: str) -> Any:
        if name not in self._values:
            raise errors.unknown("signal", name, self._of, self._values)
        return self._values[name]

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in Values.__slots__:
            raise AttributeError(f"{self._of}.{name} cannot be set: the values of an instant are read-only. Return a "
                                 "new value.")
        object.__setattr__(self, name, value)

    def __dir__(self) -> list[str]:
        return sorted({k.split(".")[0] for k in self._values})

    def _with(self, more: Mapping[str, Any]) -> Values:
        return Values(self._of, self._values | dict(more))


@dataclasses.dataclass(frozen=True)
class Row:
    """Where a signal lies in the flat vector of its role: positions `start`, `start + step`, ... (`count` of them)."""

    signal: Signal
    start: int
    step: int
    count: int
    shape: tuple[int, ...]

    @property
    def where(self) -> Any:
        """Index into the flat vector."""
        return slice(self.start, self.start + self.step * self.count, self.step) if self.shape else self.start


def need_double(value: Any, what: str) -> None:
    """Refuse 32 bit floats: JAX makes them silently wherever 64 bit is not switched on.

    Raises
    ------
    SpecError
        With the one line that cures it.
    """
    if str(getattr(value, "dtype", "")) in ("float32", "float16", "bfloat16"):
        raise errors.SpecError(f"{what} was computed with {value.dtype} numbers. Expected float64. Call it inside "
                               "'with jax.enable_x64(True):', arguments made there too.")
