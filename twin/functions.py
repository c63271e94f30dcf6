"""Small networks with weights, for learned terms: free ones, and ones that rise or fall with some of their inputs.

All are elementwise in named quantities (numbers or arrays of cells), see them in scaled coordinates, and are data: they
are lowered like any equation and stored as numbers. `prior` says which weights are usual, as a quadratic penalty.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.lazy import jnp
from twin.module import Module
from twin.signals import static

HIDDEN_SIZE = 1.0  # usual distance of a hidden weight from its random start


class Mlp(Module):
    """A small dense network of named quantities with one output, elementwise: numbers or arrays of cells.

    Parameters
    ----------
    weights
        ((W, b), ...), W of shape (inputs, outputs): tanh layers, the last one linear.
    inputs
        Names of the term's arguments that it sees.
    scales, centers
        The network sees (value - center) / scale.

    Examples
    --------
    >>> net = Mlp.random(inputs=("substrate",), hidden=(4,), scales=(10.0,), seed=0)
    >>> [w.shape for w, _ in net.weights]
    [(1, 4), (4, 1)]
    """

    weights: tuple[tuple[Any, Any], ...]
    inputs: tuple[str, ...] = static((), doc="names of term arguments")
    scales: tuple[float, ...] = static((), doc="nominal sizes of the inputs")
    centers: tuple[float, ...] = static((), doc="typical values of the inputs")

    def __post_init__(self) -> None:
        _settle(self)

    @classmethod
    def random(cls, *, inputs: Sequence[str], hidden: Sequence[int] = (8, 8), scales: Sequence[float] = (),
               centers: Sequence[float] = (), seed: int = 0, size: float = 1.0) -> Mlp:
        """Network with random weights; `size=0` makes the last layer zero, so that training starts at the mechanism."""
        import numpy as np

        draw = np.random.default_rng(seed)
        widths = [len(tuple(inputs)), *hidden, 1]
        weights = [(draw.normal(size=(a, b)) / math.sqrt(a), 0.1 * draw.normal(size=b))
                   for a, b in itertools.pairwise(widths)]
        w, b = weights[-1]
        weights[-1] = (size * w, size * b)
        return cls(tuple(weights), tuple(inputs), tuple(scales), tuple(centers))

    def __call__(self, named: Mapping[str, Any]) -> Any:
        """Output for named quantities that broadcast, in their common shape."""
        return _layers(_seen(self, named), self.weights)

    def restarted(self, seed: int) -> Mlp:
        """The same network with other random weights and a last layer of zeros."""
        hidden = [w.shape[-1] for w, _ in self.weights[:-1]]
        return Mlp.random(inputs=self.inputs, hidden=hidden, scales=self.scales, centers=self.centers, seed=seed, size=0.0)

    def prior(self, size: float) -> tuple[Any, Any]:
        """Rows A and targets a of a penalty |A w - a|**2 on the flat weights: outputs of about `size` are usual."""
        return _layer_prior(self.weights, self.weights, size)


class MonotoneMlp(Module):
    """A small dense network that rises or falls with some of its inputs, whatever its weights are.

    Between layers all weights are positive (softplus of what is stored), and so are those of the inputs in `rises_with`;
    those of the inputs in `falls_with` are negative. Other inputs act freely.

    Parameters
    ----------
    weights
        ((W, b), ...) as in `Mlp`, before the softplus.
    inputs, scales, centers
        As in `Mlp`.
    rises_with, falls_with
        Inputs with which the output never falls, or never rises.

    Examples
    --------
    >>> net = MonotoneMlp.random(inputs=("substrate",), rises_with=("substrate",), scales=(10.0,))
    >>> bool(net({"substrate": 5.0}) > net({"substrate": 4.0}))
    True
    """

    weights: tuple[tuple[Any, Any], ...]
    inputs: tuple[str, ...] = static((), doc="names of term arguments")
    rises_with: tuple[str, ...] = static((), doc="inputs with which it rises")
    falls_with: tuple[str, ...] = static((), doc="inputs with which it falls")
    scales: tuple[float, ...] = static((), doc="nominal sizes of the inputs")
    centers: tuple[float, ...] = static((), doc="typical values of the inputs")

    def __post_init__(self) -> None:
        _settle(self)
        for what in ("rises_with", "falls_with"):
            object.__setattr__(self, what, tuple(getattr(self, what)))
            for name in getattr(self, what):
                if name not in self.inputs:
                    raise errors.unknown("input", name, "this MonotoneMlp", self.inputs)
        both = set(self.rises_with) & set(self.falls_with)
        if both or not (self.rises_with or self.falls_with):
            raise errors.SpecError(f"MonotoneMlp rises with {self.rises_with} and falls with {self.falls_with}. Expected "
                                   "each input at most once, and at least one of them.")

    @classmethod
    def random(cls, *, inputs: Sequence[str], rises_with: Sequence[str] = (), falls_with: Sequence[str] = (),
               hidden: Sequence[int] = (6,), scales: Sequence[float] = (), centers: Sequence[float] = (), seed: int = 0
               ) -> MonotoneMlp:
        """Network with random weights and an output near zero."""
        import numpy as np

        draw = np.random.default_rng(seed)
        widths = [len(tuple(inputs)), *hidden, 1]
        weights = [(draw.normal(size=(a, b)), draw.normal(size=b)) for a, b in itertools.pairwise(widths)]
        w, b = weights[-1]
        weights[-1] = (np.full_like(w, -3.0), 0.0 * b)  # softplus(-3) = 0.05
        return cls(tuple(weights), tuple(inputs), tuple(rises_with), tuple(falls_with), tuple(scales), tuple(centers))

    def __call__(self, named: Mapping[str, Any]) -> Any:
        """Output for named quantities that broadcast, in their common shape."""
        (w, b), *others = self.weights
        signs = [1.0 if n in self.rises_with else -1.0 if n in self.falls_with else 0.0 for n in self.inputs]
        rows = [s * _positive(w[i]) if s else w[i] for i, s in enumerate(signs)]
        layers = [(jnp.stack(rows), b), *((_positive(v), c) for v, c in others)]
        return _layers(_seen(self, named), layers)

    def restarted(self, seed: int) -> MonotoneMlp:
        """The same network with other random weights."""
        hidden = [w.shape[-1] for w, _ in self.weights[:-1]]
        return MonotoneMlp.random(inputs=self.inputs, rises_with=self.rises_with, falls_with=self.falls_with, hidden=hidden,
                                  scales=self.scales, centers=self.centers, seed=seed)

    def prior(self, size: float) -> tuple[Any, Any]:
        """Rows and targets as in `Mlp.prior`."""
        return _layer_prior(self.weights, self.weights, max(size, 0.5))


def _positive(w: Any) -> Any:
    """softplus without overflow, smooth."""
    return jnp.log1p(jnp.exp(-jnp.sqrt(w * w + 1e-12))) + 0.5 * (w + jnp.sqrt(w * w + 1e-12))


def _seen(function: Any, named: Mapping[str, Any]) -> Any:
    """The inputs in scaled coordinates, along the last axis."""
    seen = [(named[n] - c) / s for n, c, s in zip(function.inputs, function.centers, function.scales, strict=True)]
    return jnp.stack(jnp.broadcast_arrays(*seen), -1)


def _layers(h: Any, weights: Sequence[tuple[Any, Any]]) -> Any:
    for i, (w, b) in enumerate(weights):
        h = (h[..., :, None] * w).sum(-2) + b
        h = jnp.tanh(h) if i + 1 < len(weights) else h
    return h[..., 0]


def _layer_prior(start: Any, weights: Any, size: float) -> tuple[Any, Any]:
    """Hidden weights near their random start, the last layer within `size`; A is diagonal."""
    import numpy as np

    flat = [np.ravel(v) for layer in start for v in layer]
    last = sum(np.size(v) for v in start[-1])
    spread = np.full(sum(map(len, flat)), HIDDEN_SIZE)
    spread[-last:] = size
    return np.diag(1.0 / spread), np.concatenate(flat) / spread


def settle_inputs(function: Any) -> None:
    """Settle names, scales and centers."""
    n, kind = len(function.inputs), type(function).__name__
    object.__setattr__(function, "inputs", tuple(function.inputs))
    object.__setattr__(function, "scales", tuple(float(v) for v in function.scales) or (1.0,) * n)
    if hasattr(function, "centers"):
        object.__setattr__(function, "centers", tuple(float(v) for v in function.centers) or (0.0,) * n)
    centers = getattr(function, "centers", function.scales)
    if not n or len(function.scales) != n or len(centers) != n:
        raise errors.SpecError(f"{kind} has {n} inputs, {len(function.scales)} scales and {len(centers)} centers. "
                               "Expected as many, at least one.")
    if not all(v > 0 for v in function.scales):
        raise errors.SpecError(f"{kind} scales are {function.scales}. Expected positive nominal sizes of "
                               f"{', '.join(function.inputs)}.")


def _settle(net: Any) -> None:
    """Settle a network's inputs and check the shapes of its layers."""
    settle_inputs(net)
    object.__setattr__(net, "weights", tuple((w, b) for w, b in net.weights))
    n = len(net.inputs)
    for i, (w, b) in enumerate(net.weights):
        out = 1 if i + 1 == len(net.weights) else w.shape[-1]
        if tuple(w.shape) != (n, out) or tuple(b.shape) != (out,):
            raise errors.SpecError(f"{type(net).__name__} layer {i} has W {tuple(w.shape)} and b {tuple(b.shape)}. Expected "
                                   f"({n}, {out}) and ({out},).")
        n = out
