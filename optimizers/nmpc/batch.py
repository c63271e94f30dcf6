"""Many control problems at once: on threads, on any executor, or in one array through JAX."""

from __future__ import annotations

import concurrent.futures
import dataclasses
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from twin import errors
from twin.status import Status

CHUNK = 64  # problems of one task
DEVICES = ("cpu", "jax")
_local = threading.local()


@dataclasses.dataclass(frozen=True, eq=False)
class NmpcBatch:
    """First inputs of many problems.

    Attributes
    ----------
    statuses
        How each problem ended.
    inputs
        Inputs of the first interval by name, numpy, one a problem; NaN where there is no answer.
    objective, iterations
        Numbers of each problem.
    seconds
        Time it took.
    device
        Where it ran.
    repeated
        Problems that the JAX path left unsolved and the engine solved again.
    """

    statuses: tuple[Status, ...]
    inputs: Mapping[str, Any]
    objective: Any
    iterations: Any
    seconds: float
    device: str
    repeated: int = 0

    def __len__(self) -> int:
        return len(self.statuses)


@dataclasses.dataclass(frozen=True, eq=False)
class Answers:
    """Raw answers: first inputs (problems, inputs), objectives, iterations, statuses."""

    u: Any
    objective: Any
    iterations: Any
    statuses: list[Status]

    @classmethod
    def of(cls, results: Sequence[Any], n: int) -> Answers:
        """From results of the engine."""
        import numpy as np

        good = [r.status or r.feasible for r in results]
        lost = np.full(n, np.nan)
        u = np.array([r.u[0, :n] if ok else lost for r, ok in zip(results, good, strict=True)]).reshape(len(results), n)
        return cls(u, np.array([r.objective if ok else np.nan for r, ok in zip(results, good, strict=True)]),
                   np.array([r.iterations for r in results]), [r.status for r in results])

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """One after the other."""
        import numpy as np

        u, objective, iterations = (np.concatenate([getattr(p, n) for p in parts]) for n in ("u", "objective", "iterations"))
        return cls(u, objective, iterations, [s for p in parts for s in p.statuses])


def solve_many(controller: Any, estimates: Mapping[str, Any], before: Mapping[str, Any] | None, threads: int | None,
               executor: Any, device: str) -> NmpcBatch:
    """What `Nmpc.many` does."""
    import numpy as np

    if device not in DEVICES:
        raise errors.SpecError(f"device is '{device}'. Expected one of {', '.join(DEVICES)}.")
    columns = {n: np.atleast_1d(np.asarray(v, dtype=float)) for n, v in estimates.items()}
    columns |= {f"before.{n}": np.atleast_1d(np.asarray(v, dtype=float)) for n, v in (before or {}).items()}
    count = max((len(v) for v in columns.values()), default=0)
    for n, v in columns.items():
        if v.ndim != 1 or len(v) not in (1, count):
            raise errors.SpecError(f"{n} has the shape {v.shape}. Expected {count} numbers, as the others, or one.")
    rows = {n: np.broadcast_to(v, (count,)) for n, v in columns.items()}
    begin = time.perf_counter()
    where, repeated = "cpu", 0
    if device == "jax":
        answers, where, repeated = _through_jax(controller, rows, count, threads)
    elif executor is not None:
        answers = _on_executor(controller, rows, count, executor)
    else:
        answers = run(controller, rows, 0, count, threads)
    names = [c.place.name for c in controller.statement.controls]
    inputs = {n: answers.u[:, i] for i, n in enumerate(names)}
    seconds = time.perf_counter() - begin
    return NmpcBatch(tuple(answers.statuses), inputs, answers.objective, answers.iterations, seconds, where, repeated)


def moments(controller: Any, rows: Mapping[str, Any], first: int, stop: int) -> list[Any]:
    """Moments of some problems."""
    names = [c.place.name for c in controller.statement.controls]
    made = []
    for k in range(first, stop):
        estimate = {n: float(v[k]) for n, v in rows.items() if not n.startswith("before.")}
        known = {n: float(rows[f"before.{n}"][k]) for n in names if f"before.{n}" in rows}
        state = controller.init(known or None)
        made.append(controller.moment(state, estimate))
    return made


def run(controller: Any, rows: Mapping[str, Any], first: int, stop: int, threads: int | None) -> Answers:
    """Some problems on threads over the engine."""
    solver, filler = controller.stepper.solver()
    data = Filled(filler, moments(controller, rows, first, stop))
    options = {k: v for k, v in controller.stepper.cold.items() if k != "max_seconds"}
    return Answers.of(solver.solve_many(data, threads, start="rollout", **options), len(controller.statement.controls))


class Filled(Sequence[Any]):
    """Data of many problems, each made when it is asked for: by the thread that solves it, while others solve theirs."""

    def __init__(self, filler: Any, moments: Sequence[Any]) -> None:
        self.filler, self.moments, self.lock = filler, moments, threading.Lock()

    def __len__(self) -> int:
        return len(self.moments)

    def __getitem__(self, k: Any) -> Any:
        with self.lock:
            return self.filler.data(self.moments[k])


def run_task(controller: Any, key: str, rows: Mapping[str, Any], count: int) -> Answers:
    """One task, in whatever process this is; each thread keeps the last controller it compiled."""
    if getattr(_local, "key", None) != key:
        _local.key, _local.controller = key, controller
    return run(_local.controller, rows, 0, count, 1)


def _on_executor(controller: Any, rows: Mapping[str, Any], count: int, executor: Any) -> Answers:
    key = uuid.uuid4().hex
    own = executor() if callable(executor) else None
    pool = own or executor
    try:
        futures: list[concurrent.futures.Future[Answers]] = []
        for first in range(0, count, CHUNK):
            stop = min(first + CHUNK, count)
            part = {n: v[first:stop].copy() for n, v in rows.items()}
            futures.append(pool.submit(run_task, controller, key, part, stop - first))
        return Answers.joined([f.result() for f in futures])
    finally:
        if own is not None:
            own.shutdown(wait=False, cancel_futures=True)


def _through_jax(controller: Any, rows: Mapping[str, Any], count: int, threads: int | None) -> tuple[Answers, str, int]:
    """All problems in one array; what does not converge there goes to the engine."""
    import numpy as np

    ocp = controller.stepper.jax_ocp()
    _, filler = controller.stepper.solver()
    found = ocp.solve_many(filler.arrays(ocp, moments(controller, rows, 0, count)))
    n = len(controller.statement.controls)
    answers = Answers(np.array(found.u[:, 0, :n]), np.array(found.objective), np.array(found.iterations), list(found.statuses))
    left = [k for k, s in enumerate(answers.statuses) if not s]
    if left:
        again = run(controller, {name: v[left] for name, v in rows.items()}, 0, len(left), threads)
        answers.u[left], answers.objective[left], answers.iterations[left] = again.u, again.objective, again.iterations
        for k, status in zip(left, again.statuses, strict=True):
            answers.statuses[k] = status
    return answers, found.device, len(left)
