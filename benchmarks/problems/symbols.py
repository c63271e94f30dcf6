"""Functions that take what a model is evaluated on: JAX numbers, or CasADi symbols in the peer's transcription."""

from __future__ import annotations

import importlib
from typing import Any

from twin import jnp


def _home(v: Any) -> Any:
    return importlib.import_module("casadi") if type(v).__module__.startswith("casadi") else jnp


def exp(v: Any) -> Any:
    """Exponential."""
    return _home(v).exp(v)


def sqrt(v: Any) -> Any:
    """Square root."""
    return _home(v).sqrt(v)


def sin(v: Any) -> Any:
    """Sine."""
    return _home(v).sin(v)


def cos(v: Any) -> Any:
    """Cosine."""
    return _home(v).cos(v)
