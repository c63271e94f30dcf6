"""Which solver takes a transcription: the engine, or IPOPT where the engine does not go."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from optimizers.dynamic.transcription import Transcription
from twin import errors

MOST_STATES = 40


def choose(tr: Transcription, wanted: Any, execution: str | None) -> Any:
    """The solver of a transcription, with a note where it is not the engine.

    Raises
    ------
    twin.errors.MissingExtraError
        IPOPT is needed and not installed.
    """
    from optimizers.backends.ipopt import Ipopt

    if isinstance(wanted, Ipopt):
        return IpoptSolver(tr, wanted, "")
    if wanted is not None:
        raise errors.SpecError(f"solver is {wanted!r}. Expected optimizers.Ipopt() or None for the engine.")
    n = tr.plan.model.size("state") + tr.plan.model.size("algebraic")
    if n > MOST_STATES:
        return IpoptSolver(tr, Ipopt(), f"IPOPT solved it: {n} states and algebraics are more than the {MOST_STATES} the engine "
                                        "is made for.")
    try:
        return EngineSolver(tr, execution)
    except errors.LoweringError as e:
        return IpoptSolver(tr, Ipopt(), f"IPOPT solved it, because the equations cannot be lowered: {e}")


def ipopt_installed() -> bool:
    """True where the extra is there."""
    from importlib.util import find_spec

    try:
        return find_spec("cyipopt") is not None
    except ValueError:  # a test has taken it away
        return False


class EngineSolver:
    """The interior-point method of `twin.engine`."""

    name, note, in_threads = "interior point of twin.engine", "", True

    def __init__(self, tr: Transcription, execution: str | None) -> None:
        from twin.engine.optimal import OcpSolver

        self.solver = OcpSolver(tr.spec(), execution=execution)

    def build(self) -> None:
        """Compile for this problem alone, where the machine can."""
        self.solver.build()

    def data(self) -> Any:
        """Arrays to be filled."""
        return self.solver.data()

    def stop(self) -> None:
        """End a solve that goes on in another thread."""
        self.solver.stop()

    def solve(self, data: Any, *, start: str, warm: Any, tol: float, max_iterations: int, max_seconds: float,
              stopped: Callable[[], bool], mu: float | None = None) -> Any:
        """One solve."""
        if stopped():
            max_iterations = 0
        warm = warm if hasattr(warm, "flat") else None  # an answer of IPOPT is a guess only
        kind = "warm" if warm is not None else start
        return self.solver.solve(data, start=kind, warm=warm, tol=tol, max_iterations=max_iterations, max_seconds=max_seconds,
                                 mu=None if kind == "warm" else mu)


class IpoptSolver:
    """IPOPT on the same transcription."""

    in_threads = False  # its linear solver keeps state of its own

    def __init__(self, tr: Transcription, ipopt: Any, note: str) -> None:
        from optimizers.backends.ipopt import IpoptOcp

        self.note, self.ipopt, self.name = note, ipopt, "IPOPT"
        self.solver = IpoptOcp(tr.spec())

    def build(self) -> None:
        """There is nothing to compile ahead."""

    def data(self) -> Any:
        """Arrays to be filled."""
        from twin.engine import optimal

        kind: Any = optimal.OcpData
        return kind.empty(self.solver.spec)

    def stop(self) -> None:
        """IPOPT asks for itself at every iteration."""

    def solve(self, data: Any, *, start: str, warm: Any, tol: float, max_iterations: int, max_seconds: float,
              stopped: Callable[[], bool], mu: float | None = None) -> Any:
        """One solve, always from the guess in `data`."""
        return self.solver.solve(data, tol=tol, max_iterations=max_iterations, max_seconds=max_seconds, stopped=stopped,
                                 options=self.ipopt.options)
