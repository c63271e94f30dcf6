"""Pictures of a training: learning curves, runs that were left out, terms before and after."""

from __future__ import annotations

from typing import Any

from twin.simulation import plots


def draw(training: Any) -> Any:
    """matplotlib Figure of a training."""
    signals = list(dict.fromkeys(p.signal for p in training.predictions))
    pairs = [(n, a) for n in training.terms if n in training.model.learned for a in training.model.learned[n].net.inputs]
    fig, axes = plots.figure(1 + len(signals) + len(pairs), columns=3)
    _curves(axes[0], training)
    for axis, signal in zip(axes[1:], signals, strict=False):
        _parity(axis, training, signal)
    after = {n: _after(training, n) for n in dict.fromkeys(n for n, _ in pairs)}
    for axis, (name, argument) in zip(axes[1 + len(signals):], pairs, strict=True):
        _term(axis, training, name, argument, after[name])
    plots.legend([axes[0]])
    if pairs:
        plots.legend([axes[1 + len(signals)]])
    return fig


def _curves(axis: Any, training: Any) -> None:
    import numpy as np

    members = sorted({s.member for s in training.steps})
    curves = [[s.error for s in training.steps if s.member == m] for m in members]
    for curve in curves:
        axis.plot(range(1, len(curve) + 1), curve, color=plots.PHASE, linewidth=0.7, alpha=0.6)
    if curves:
        axis.plot(range(1, len(curves[0]) + 1), np.mean(curves, axis=0), color=plots.COLORS[0], linewidth=1.8,
                  label="mean of the members")
    axis.axhline(1.0, color=plots.COLORS[1], linewidth=0.9, label="without correction")
    sizes = list(dict.fromkeys(s.size for s in training.steps))
    steps = max((s.iteration for s in training.steps), default=0) + 1
    if training.size:
        axis.plot([sizes.index(training.size) * steps + training.iterations], [np.mean([
            s.error for s in training.steps if s.size == training.size and s.iteration == training.iterations - 1])],
            "o", color=plots.COLORS[0], label="chosen")
    for k in range(1, len(sizes)):
        axis.axvline(k * steps + 0.5, color=plots.PHASE, linewidth=0.6, linestyle=":")
    plots.title(axis, "error on runs left out", "of that without correction")
    axis.set_xlabel("step, from small to large corrections")
    axis.set_ylim(0, 1.3)


def _parity(axis: Any, training: Any, signal: str) -> None:
    import numpy as np

    mine = [p for p in training.predictions if p.signal == signal]
    unit = next(r.unit for r in training.left_out if r.signal == signal)
    measured, predicted = (np.concatenate([getattr(p, n) for p in mine]) for n in ("measured", "predicted"))
    axis.plot(measured, predicted, ".", color=plots.COLORS[0], markersize=3.5, alpha=0.7)
    ends = [min(measured.min(), predicted.min()), max(measured.max(), predicted.max())]
    axis.plot(ends, ends, color=plots.PHASE, linewidth=0.9)
    plots.title(axis, f"{signal}, runs left out", unit)
    axis.set_ylabel(f"predicted [{unit}]")
    axis.set_xlabel(f"measured [{unit}]")


def _after(training: Any, name: str) -> Any:
    """Values of a corrected term along the training runs."""
    import jax
    import numpy as np

    fix, of = training.model.learned[name], training.model.terms()[name]
    named = {k: np.concatenate([h[name][k] for h in training.arguments]) for k in ("", *of.arguments)}
    with jax.enable_x64(True):
        return np.asarray(fix.apply(of, named[""], {k: v for k, v in named.items() if k}))


def _term(axis: Any, training: Any, name: str, argument: str, after: Any) -> None:
    import numpy as np

    values, before = (np.concatenate([h[name][k] for h in training.arguments]) for k in (argument, ""))
    units = {s.name: s.unit for s in training.model.signals} | {"time": training.model.time_unit}
    axis.plot(values, before, ".", color=plots.PHASE, markersize=3, alpha=0.6, label="mechanism")
    axis.plot(values, after, ".", color=plots.COLORS[2], markersize=3, alpha=0.7, label="corrected")
    plots.title(axis, name, training.model.terms()[name].unit)
    axis.set_xlabel(f"{argument.replace('_', ' ')} [{units[argument]}]" if argument in units else argument)
