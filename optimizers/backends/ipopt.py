"""IPOPT on the same transcription as the engine: reference, and what takes over where the engine does not go."""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from twin import errors
from twin.status import Status

# IPOPT's return values by what they mean here.
STATUSES = {0: Status.SUCCESS, 1: Status.SUCCESS, 2: Status.INFEASIBLE, 3: Status.NOT_CONVERGED, 4: Status.UNBOUNDED,
            5: Status.STOPPED, 6: Status.FEASIBLE, -1: Status.ITERATION_LIMIT, -2: Status.NOT_CONVERGED, -3: Status.NOT_CONVERGED,
            -4: Status.TIME_LIMIT, -5: Status.TIME_LIMIT, -13: Status.NOT_FINITE}


@dataclasses.dataclass(frozen=True)
class Ipopt:
    """The interior-point solver IPOPT (extra `ipopt`) in place of the engine.

    Attributes
    ----------
    options
        Options of IPOPT by its own names, such as {"linear_solver": "ma57"}.

    Examples
    --------
    >>> import optimizers
    >>> optimizers.Ipopt(options={"mu_strategy": "adaptive"})
    Ipopt(options={'mu_strategy': 'adaptive'})
    """

    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)


def cyipopt() -> Any:
    """The module, or the sentence how to get it."""
    try:
        import cyipopt as module
    except ImportError:
        raise errors.MissingExtraError("IPOPT is not installed. Run: pip install 'twinworks[ipopt]'.", extra="ipopt") from None
    return module


@dataclasses.dataclass(eq=False)
class IpoptResult:
    """An answer in the shapes of the engine's `OcpResult`."""

    status: Status
    objective: float
    iterations: int
    error: float
    violation: float
    feasible: bool
    x: Any
    u: Any
    xp: Any
    zp: Any
    x_dual: Any
    u_dual: Any
    row_dual: Any
    xp_dual: Any
    zp_dual: Any
    path_dual: Any


class IpoptOcp:
    """An `OcpSpec` as a sparse nonlinear program for IPOPT."""

    def __init__(self, spec: Any) -> None:
        from optimizers.backends.ocp_program import Program

        self.spec = spec
        self.module = cyipopt()
        self.program = Program(spec)

    def solve(self, data: Any, *, tol: float = 1e-8, max_iterations: int = 3000, max_seconds: float = math.inf,
              options: Mapping[str, Any] | None = None, stopped: Callable[[], bool] = lambda: False) -> IpoptResult:
        """Solve from the guess in `data`, whose shapes are those of the engine's `OcpData`."""
        program = self.program.bind(data)
        found: dict[str, Any] = {}
        callbacks = _Callbacks(program, stopped, time.monotonic() + max_seconds, found)
        n, m = program.n, program.m
        problem = self.module.Problem(n=n, m=m, problem_obj=callbacks, lb=program.w_low, ub=program.w_high, cl=program.c_low,
                                      cu=program.c_high)
        defaults = {"print_level": 0, "sb": "yes", "tol": tol, "max_iter": int(max_iterations), "bound_relax_factor": 0.0,
                    "constr_viol_tol": 1e-9, "acceptable_iter": 0}
        if math.isfinite(max_seconds):
            defaults["max_wall_time"] = float(max_seconds)
        for name, value in {**defaults, **dict(options or {})}.items():
            try:
                problem.add_option(name, value)
            except TypeError:
                raise errors.SpecError(f"IPOPT does not take the option {name} = {value!r}. Look it up in its "
                                       "documentation.") from None
        w, info = problem.solve(program.w0)
        status = STATUSES.get(int(info["status"]), Status.NOT_CONVERGED)
        if callbacks.late and status is Status.STOPPED:
            status = Status.TIME_LIMIT
        if status is Status.SUCCESS and not program.is_finite(w):
            status = Status.NOT_FINITE
        parts = program.split(w)
        duals = program.duals(info["mult_g"], info["mult_x_U"] - info["mult_x_L"])
        violation = program.violation(w)
        error = float(found.get("error", math.nan))
        return IpoptResult(status, float(program.objective(w)), int(found.get("iterations", 0)), error, violation,
                           violation <= 1e-6, **parts, **duals)


class _Callbacks:
    """What IPOPT calls."""

    def __init__(self, program: Any, stopped: Callable[[], bool], deadline: float, found: dict[str, Any]) -> None:
        self.stopped, self.deadline, self.found, self.late = stopped, deadline, found, False
        for name in ("objective", "gradient", "constraints", "jacobian", "jacobianstructure", "hessian", "hessianstructure"):
            setattr(self, name, getattr(program, name))

    def intermediate(self, mode: int, iteration: int, objective: float, primal: float, dual: float, *rest: Any) -> bool:
        """Note where it stands; False stops it."""
        self.found.update(iterations=iteration, error=max(primal, dual))
        self.late = time.monotonic() > self.deadline
        return not (self.stopped() or self.late)
