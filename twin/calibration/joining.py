"""Least squares over pieces that need not join before the end: Gauss-Newton steps under an exact penalty, finer meshes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from twin import errors
from twin.calibration.squares import TOLERANCE, Outcome, Quadratic, fit_squares, variance_of
from twin.status import Status

if TYPE_CHECKING:
    from twin.calibration.pieces import Linear, Pieces
    from twin.calibration.problem import Problem

MET = 1e-8  # equations of the pieces count as met below this, relative to the size of the states
GAP = 1e-6  # largest change of the cost on a mesh twice as fine, as a share of it
MESHES = 6  # most refinements
MOST = 6000  # most pieces
PATIENCE = 30  # steps over open pieces before joined ones are tried


def joined(pieces: Pieces, values: Any, stages: Any, rounds: int = 25) -> tuple[Any, Linear] | None:
    """Stage values that meet the equations of all pieces at fixed unknowns, and the linearization there; None where they fail."""
    import numpy as np

    linear = pieces.linearize(values, stages)
    for _ in range(rounds):
        if not math.isfinite(linear.defect):
            return None
        if linear.defect < 1e-2 * MET:
            return stages, linear
        step, size = linear.steps[:, :, 0].reshape(stages.shape), 1.0
        before = pieces.look(values, stages, linear.scale)[1]
        while size > 1e-3:
            trial = stages + size * step
            if pieces.look(values, trial, linear.scale)[1] < (1 - 0.1 * size) * before:
                break
            size *= 0.5
        if size <= 1e-3 and linear.defect > MET:
            return None
        stages = stages + size * step
        try:
            linear = pieces.linearize(values, stages)
        except np.linalg.LinAlgError:
            return None
    return (stages, linear) if linear.defect < MET else None


def fit_pieces(pieces: Pieces, problem: Problem, q: Any, *, max_iterations: int, max_seconds: float = math.inf,
               tolerance: float = TOLERANCE, progress: Callable[[int, float], None] | None = None) -> Outcome:
    """Minimize the weighted squares of a problem over unknowns and stage values; arguments as `fit_squares`.

    Raises
    ------
    ConvergenceError
        Where the equations cannot be evaluated at the start.
    """
    return _Join(pieces, problem, max_iterations, time.monotonic() + max_seconds, tolerance, progress).run(q)


class _Join:
    def __init__(self, pieces: Pieces, problem: Problem, left: int, until: float, tolerance: float,
                 progress: Callable[[int, float], None] | None) -> None:
        import numpy as np

        self.pieces, self.problem, self.left, self.until, self.progress = pieces, problem, left, until, progress
        self.steps, self.failures, self.tolerance = 0, 0, tolerance
        self.history: list[float] = []
        self.prior = problem.space.prior_rows()
        self.lower, self.upper = problem.space.bounds
        self.price, self.damping = 0.0, 0.0
        self.norms = np.zeros(len(problem.space))
        self.log = np.array([c.scale == "log" for c in problem.space.coordinates])

    def run(self, q: Any) -> Outcome:
        """Fit on meshes that become finer until the cost no longer depends on them."""
        import numpy as np

        q = np.clip(np.asarray(q, dtype=float), self.lower, self.upper)
        if self.pieces.stages is None:
            self.pieces.guess(self.problem.space.natural(q))
        message = ""
        for k in range(MESHES + 1):
            try:
                q, rows, status = self._on_mesh(q, PATIENCE)
                if status is Status.NOT_CONVERGED:
                    q, rows, status = self._along(q)
            except KeyboardInterrupt:
                q, rows, status = self.q, self.rows, Status.STOPPED
            if not status:
                message = self._growth(q) if status is Status.NOT_CONVERGED else ""
                break
            fine = self._finer(q, rows)
            if isinstance(fine, tuple):
                q, rows = fine
                break
            if k == MESHES or len(fine.h) > MOST:
                status = Status.NOT_CONVERGED
                message = f"The pieces could not be made fine enough ({len(self.pieces.h)} of them)."
                break
            self.pieces.__dict__.update(fine.__dict__)
        r, jacobian = rows
        return Outcome(q, r, jacobian, self.problem.loss.cost(r), status, message, self.steps, self.steps + self.failures + 1,
                       self.failures, tuple(self.history))

    def _assembled(self, q: Any, linear: Linear) -> tuple[Any, Any, Any]:
        """Residuals, Jacobian and shift, over the deviations, with the priors."""
        import numpy as np

        problem = self.problem
        sigma, slope = problem.noise.sigma, problem.space.slope(problem.space.natural(q))
        r = (linear.values - self.pieces.rows.value) / sigma
        jacobian = linear.slopes * (slope / sigma[:, None])
        shift = linear.shift / sigma
        at, mean, spread = self.prior
        if len(at):
            below = np.zeros((len(at), len(q)))
            below[np.arange(len(at)), at] = 1 / spread
            r, jacobian = np.concatenate([r, (q[at] - mean) / spread]), np.vstack([jacobian, below])
            shift = np.concatenate([shift, np.zeros(len(at))])
        return r, jacobian, shift

    def _look(self, q: Any, stages: Any, scale: Any) -> tuple[float, float]:
        """Cost and what the equations lack at a trial."""
        import numpy as np

        values, lack = self.pieces.look(self.problem.space.natural(q), stages, scale)
        r = (values - self.pieces.rows.value) / self.problem.noise.sigma
        at, mean, spread = self.prior
        return self.problem.loss.cost(np.concatenate([r, (q[at] - mean) / spread])), lack

    def _along(self, q: Any) -> tuple[Any, tuple[Any, Any], Status]:
        """Steps with joined pieces where open ones got nowhere: from the first guess, or from here where that fails."""
        problem = self.problem
        for point in (problem.space.start, q):
            try:
                found = fit_squares(problem.weighted, point, self.lower, self.upper, loss=problem.loss, reach=problem.reach,
                                    max_iterations=self.left, floor=problem.floor, tolerance=self.tolerance,
                                    max_seconds=self.until - time.monotonic(), progress=self.progress)
            except errors.ConvergenceError:
                continue
            self.left -= found.iterations
            self.steps += found.iterations
            self.price = self.damping = 0.0
            if found.status:
                return self._on_mesh(found.q, PATIENCE)
            return found.q, (found.residuals, found.jacobian), found.status
        return q, self.rows, Status.NOT_CONVERGED

    def _on_mesh(self, q: Any, patience: int) -> tuple[Any, tuple[Any, Any], Status]:
        """Steps until unknowns and stages stand still; coordinates, rows there, status."""
        import numpy as np

        pieces, problem = self.pieces, self.problem
        least = self.left - patience
        while True:
            linear = self._linearized(q)
            r, jacobian, shift = self._assembled(q, linear)
            model = Quadratic(r, jacobian, problem.loss, shift)
            self.norms = np.maximum(self.norms, model.norms)
            self.q, self.rows = q, (r + shift, jacobian)
            low, high = self._room(q)
            cost = problem.loss.cost(r)
            self.history.append(cost)
            if self.progress is not None:
                self.progress(self.steps, cost)
            full = model.step(0.0, self.norms, low, high)
            enough = max(self.tolerance * variance_of(cost, jacobian), problem.floor)
            if linear.defect < MET and (model.reduction(full) <= enough or cost <= problem.floor):
                return q, (r + shift, jacobian), Status.SUCCESS
            if self.left <= 0 or time.monotonic() > self.until:
                return q, (r, jacobian), Status.ITERATION_LIMIT if self.left <= 0 else Status.TIME_LIMIT
            if self.left <= least:
                return q, (r, jacobian), Status.NOT_CONVERGED
            moved = self._moved(q, linear, model, r, cost, low, high)
            if moved is None:
                near = linear.defect < MET and model.reduction(full) <= 1e-5 * cost
                return q, (r, jacobian), Status.SUCCESS if near else Status.NOT_CONVERGED
            q, pieces.stages = moved

    def _room(self, q: Any) -> tuple[Any, Any]:
        """How far a step may go: to the bounds, and on log scales not below a tenth of the value.

        The equations of the pieces are linear in the rate constants of many models: steps are therefore taken in the values
        themselves, on log scales relative to the value.
        """
        import numpy as np

        with np.errstate(over="ignore"):
            low = np.where(self.log, np.maximum(np.expm1(self.lower - q), -0.9), self.lower - q)
            high = np.where(self.log, np.expm1(self.upper - q), self.upper - q)
        return low, high

    def _stepped(self, q: Any, d: Any) -> Any:
        """Coordinates after a step."""
        import numpy as np

        return np.clip(q + np.where(self.log, np.log1p(np.where(self.log, d, 0.0)), d), self.lower, self.upper)

    def _linearized(self, q: Any) -> Linear:
        import numpy as np

        try:
            linear = self.pieces.linearize(self.problem.space.natural(q), self.pieces.stages)
        except np.linalg.LinAlgError as e:
            raise errors.ConvergenceError("The equations of the pieces are singular. Give another start.",
                                          status=Status.NOT_FINITE) from e
        if not (math.isfinite(linear.defect) and np.isfinite(linear.slopes).all()):
            raise errors.ConvergenceError("The equations of the pieces are not finite at the start. Give another start.",
                                          status=Status.NOT_FINITE)
        return linear

    def _moved(self, q: Any, linear: Linear, model: Quadratic, r: Any, cost: float, low: Any,
               high: Any) -> tuple[Any, Any] | None:
        """The next point, accepted by the penalty function; None where none can be found."""

        pieces, problem = self.pieces, self.problem
        slope = problem.space.slope(problem.space.natural(q))
        lack = pieces.look(problem.space.natural(q), pieces.stages, linear.scale)[1]
        while self.left > 0:
            self.left -= 1
            self.steps += 1
            d = model.step(self.damping, self.norms, low, high)
            rise = model.change(d)
            if lack > 0:
                self.price = max(self.price, 2 * rise / lack)
            stages = (linear.steps[:, :, 0] + linear.steps[:, :, 1:] @ (slope * d)).reshape(pieces.stages.shape)
            size = 1.0
            while size > 0.02:
                trial, there = self._stepped(q, size * d), pieces.stages + size * stages
                new_cost, new_lack = self._look(trial, there, linear.scale)
                drop = cost + self.price * lack - new_cost - self.price * new_lack
                if drop >= 1e-4 * size * (self.price * lack - rise) - 1e-14 * cost:
                    if size == 1.0:
                        self.damping = self.damping / 5 if self.damping > 1e-8 else 0.0
                    return trial, there
                self.failures += 1
                size *= 0.5
            self.damping = max(10 * self.damping, 1e-4)
            if self.damping > 1e8:
                return None
        return None

    def _growth(self, q: Any) -> str:
        """A sentence where small errors grow so much along a run that its pieces cannot be eliminated one after the other."""
        import numpy as np

        linear, pieces = self._linearized(q), self.pieces
        for r, shot in enumerate(pieces.shots):
            through = np.eye(pieces.n_x)
            for k in range(pieces.first[r], pieces.first[r + 1]):
                through = linear.through[k] @ through
                grown = float((np.abs(through) * pieces.size[None, :pieces.n_x] / pieces.size[:pieces.n_x, None]).max())
                if grown > 1e8:
                    return (f"Small changes grow by a factor {grown:.1g} along run '{shot.experiment.name}'. Cut the run into "
                            "shorter "
                            "ones, each with its initial states as unknowns.")
        return ""

    def _finer(self, q: Any, rows: tuple[Any, Any]) -> Any:
        """What half the mesh width says: (coordinates, rows) where it agrees, else the pieces on a mesh that is divided."""
        import numpy as np

        pieces, problem = self.pieces, self.problem
        natural = problem.space.natural(q)
        fine = pieces.finer(pieces.starts(natural)[0])
        linear = fine.linearize(natural, fine.stages)
        sigma = problem.noise.sigma
        m = len(sigma)
        r, jacobian, shift = self._assembled(q, linear)
        there = r + shift
        cost = problem.loss.cost(rows[0])
        model = Quadratic(there, jacobian, problem.loss)
        d = model.step(0.0, np.maximum(self.norms, model.norms), *self._room(q))
        allowed = GAP * cost + problem.floor * 1e6 + 1e-9 * m * (0.0 if problem.noise.equal else 1.0)
        if abs(problem.loss.cost(there) - cost) <= allowed and model.reduction(d) <= allowed:
            return self._stepped(q, d), (there + jacobian @ d, jacobian)
        # The error that each piece makes by itself decides into how many it is divided; order 5.
        first, second = linear.own[0::2], linear.own[1::2]
        error = (np.abs(np.einsum("kij,kj->ki", linear.through[1::2], first) + second) / pieces.size[:pieces.n_x]).max(axis=1)
        wanted = min(1e-7, 0.1 * float(error.max()))
        parts = np.clip(np.ceil((error / wanted) ** 0.2), 1, 4).astype(int)
        return pieces.finer(pieces.starts(natural)[0], [parts[a:b] for a, b in zip(pieces.first, pieces.first[1:], strict=False)])
