"""Multiple shooting: every run in many short pieces, each one step of Radau IIA (3 stages), all at once on numpy arrays.

The stage values of all pieces are unknowns beside the parameters. Their equations are linearized where they stand and
eliminated piece by piece (condensing), so that a least-squares step in the unknowns remains; states need not join before
the optimum is reached (Bock 1983). No simulation has to succeed on the way, and nothing is compiled.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import Any

from twin.calibration.mesh import Inputs, Places, divided, first_mesh, radau, supported
from twin.calibration.residuals import Evaluation, Residuals, Rows

LARGEST = 5e8  # most multiplications of a step, roughly, for which pieces are tried first


def usable(engine: Residuals) -> str:
    """Empty where multiple shooting can be used, else a sentence why not."""
    system = engine.system
    if system.structure != "dense":
        return f"{system.name} is a model on cells; multiple shooting takes models without."
    if not all(supported(e.recipe) for e in engine.experiments):
        return "A recipe has crossings, resets or controllers; multiple shooting takes phases that end at known times."
    return ""


def small(engine: Residuals) -> bool:
    """True where a step over pieces takes well below a second."""
    n = 3 * (engine.system.n_x + engine.system.n_z)
    ends = sum(len(first_mesh(s.experiment, inputs_of(engine, s))) for s in engine.shots if s.experiment.count)
    return ends * n * n * (n + len(engine.unknowns)) < LARGEST


def inputs_of(engine: Residuals, shot: Any) -> Inputs:
    """Inputs and disturbances of a run on its clock."""
    nominal = {r.signal.name: r.signal.nominal for role in ("input", "disturbance") for r in engine.system.rows[role]}
    return Inputs(shot.experiment.recipe, nominal)


@dataclasses.dataclass
class Linear:
    """The linearization at a point: values at the samples, their slopes, and what a Newton step would change."""

    values: Any  # (m,)
    slopes: Any  # (m, n)
    shift: Any  # (m,): change of the values where the equations of the pieces are met
    steps: Any  # (pieces, 3 n, 1 + n): change of the stages, constant and per unknown
    defect: float  # how far the equations of the pieces are from being met, relative to the size of the states
    own: Any  # (pieces, n_x): change of the end of each piece where its begin stays
    through: Any  # (pieces, n_x, n_x): derivative of the end of each piece with respect to its begin
    scale: Any  # (n,): size of the equations


class Pieces:
    """All runs in pieces; evaluates as `Residuals` does, and keeps the stage values between calls."""

    def __init__(self, engine: Residuals, meshes: Sequence[Sequence[float]] | None = None) -> None:
        import numpy as np

        self.shooting = engine
        self.rows: Rows = engine.rows
        self.shots = [s for s in engine.shots if s.experiment.count]
        system = engine.system
        self.n_x, self.n_z, self.n = system.n_x, system.n_z, system.n_x + system.n_z
        self.inputs = [inputs_of(engine, s) for s in self.shots]
        self.order = {"input": slice(0, system.n_u), "disturbance": slice(system.n_u, None)}  # of the rows of `inputs`
        self.moved = sorted({at for s in self.shots for _, _, at in s.moved})
        self.kernels: dict[str, Any] = {}
        self.size = np.array([1.0] * self.n)
        self._lay(meshes or [first_mesh(s.experiment, i) for s, i in zip(self.shots, self.inputs, strict=True)])
        self.stages: Any = None

    def __getattr__(self, name: str) -> Any:
        if name == "shooting":
            raise AttributeError(name)
        return getattr(self.shooting, name)  # experiments, model, system, biases and so on

    def clone(self) -> Pieces:
        """The same with stage values of its own."""
        other = copy.copy(self)
        other.shooting = self.shooting.clone()
        other.stages = None if self.stages is None else self.stages.copy()
        return other

    def restrict(self, names: Sequence[str]) -> Pieces:
        """The same for some runs only."""
        return Pieces(self.shooting.restrict(names))

    def kernel(self, name: str) -> Any:
        """A program of the model on arrays."""
        from twin.lowering.emit_numpy import on_arrays

        if name not in self.kernels:
            self.kernels[name] = on_arrays(self.system.program(name))
        return self.kernels[name]

    def _lay(self, meshes: Sequence[Sequence[float]]) -> None:
        """Take a mesh for each run."""
        import numpy as np

        nodes, _ = radau()
        self.meshes = [list(mesh) for mesh in meshes]
        counts = [len(mesh) - 1 for mesh in self.meshes]
        self.first = np.concatenate([[0], np.cumsum(counts)]).astype(int)
        self.owner = np.repeat(np.arange(len(counts)), counts)
        begins = np.concatenate([np.array(mesh[:-1]) for mesh in self.meshes])
        self.h = np.concatenate([np.diff(mesh) for mesh in self.meshes])
        self.times = begins[:, None] + self.h[:, None] * nodes[None, 1:]
        parts = []
        for r, table in enumerate(self.inputs):
            k = slice(self.first[r], self.first[r + 1])
            middle = np.broadcast_to((begins[k] + 0.5 * self.h[k])[:, None], self.times[k].shape)
            parts.append(table.at(self.times[k], middle))
        acted = np.concatenate(parts, axis=1)
        self.u, self.d = acted[self.order["input"]], acted[self.order["disturbance"]]
        self.places = [Places.of(mesh, s.experiment.times) for mesh, s in zip(self.meshes, self.shots, strict=True)]

    def guess(self, values: Any) -> None:
        """First stage values: what was measured; the rest from a simulation, or held at the start where that fails."""
        import numpy as np

        system = self.system
        measured = {n for s in self.shots for n in s.experiment.samples}
        states = [r.signal.name for r in system.rows["state"]]
        whole = self.n_z == 0 and all(set(states) <= set(s.experiment.samples) for s in self.shots)
        self.stages = np.zeros((len(self.h), 3, self.n))
        for r, shot in enumerate(self.shots):
            k = slice(self.first[r], self.first[r + 1])
            x0, p, _ = shot.point(values)
            times = self.times[k].reshape(-1)
            rows = None if whole else self._simulated(shot, times, x0, p)
            for row in (*system.rows["state"], *system.rows["algebraic"]):
                name, at = row.signal.name, row.start + (self.n_x if row.signal.role == "algebraic" else 0)
                for i in range(row.count):
                    place = at + i * row.step
                    if name in measured and name in shot.experiment.samples and not row.shape and name in states:
                        where, v = shot.experiment.samples[name]
                        grid = np.array(shot.experiment.times)[where]
                        if grid[0] > 0:
                            grid, v = np.concatenate([[0.0], grid]), np.concatenate([[x0[row.start]], v])
                        found = np.interp(times, grid, v)
                    elif rows is not None:
                        found = rows[:, place]
                    else:
                        found = np.full(len(times), x0[place] if place < self.n_x else float(row.signal.nominal))
                    self.stages[k, :, place] = found.reshape(-1, 3)
        self.size = np.maximum(np.abs(self.stages).max(axis=(0, 1)), 1e-12)

    def _simulated(self, shot: Any, times: Any, x0: Any, p: Any) -> Any:
        """[x, z] at the times, or None."""
        import numpy as np

        from twin.engine.runner import Runner

        run = Runner(self.system, shot.experiment.recipe, times=times.tolist(), duration=float(times[-1]), rtol=1e-5,
                     execution=shot.options["execution"]).run(x0, p)
        return np.asarray(run.rows, dtype=float)[:, :self.n] if run.status else None

    def starts(self, values: Any) -> tuple[Any, Any, Any, Any]:
        """Starts (runs, n_x), parameters (n_p, runs), and the derivatives of both: (runs, n_x, n), (runs, moved, n)."""
        import numpy as np

        n = len(self.unknowns)
        x0, p = [], []
        d_x, d_p = np.zeros((len(self.shots), self.n_x, n)), np.zeros((len(self.shots), len(self.moved), n))
        for r, shot in enumerate(self.shots):
            start, vector, named = shot.point(values)
            x0.append(start)
            p.append(vector)
            for k, _, at in shot.moved:
                d_p[r, self.moved.index(at), k] = 1.0
            if shot.tied or shot.starts:
                spread = shot.spread(vector, named)
                for c, name in enumerate((*(s for _, s in shot.starts), *shot.tied)):
                    d_x[r, self.states[name].start] = spread[len(shot.moved) + c]
        return np.array(x0), np.array(p).T, d_x, d_p

    def parameters(self, p: Any, owner: Any) -> list[Any]:
        """Parameters as numbers, or as arrays over pieces where runs differ."""
        return [row[0] if (row == row[0]).all() else row[owner][:, None] for row in p]

    def _residual(self, x0: Any, p: Any, stages: Any) -> Any:
        import numpy as np

        _, d = radau()
        begin = self._begin(x0, stages)
        x = stages.transpose(2, 0, 1)
        f = self.kernel("rhs")(self.times, x[:self.n_x], x[self.n_x:], self.u, self.d, self.parameters(p, self.owner),
                               self.times.shape)
        found = f.transpose(1, 2, 0).copy()
        slope = np.einsum("js,kji->ksi", d[1:], stages[:, :, :self.n_x]) + d[0][None, :, None] * begin[:, None, :]
        found[:, :, :self.n_x] = slope - self.h[:, None, None] * found[:, :, :self.n_x]
        return found

    def _begin(self, x0: Any, stages: Any) -> Any:
        """State at the begin of each piece."""
        import numpy as np

        begin = np.empty((len(self.h), self.n_x))
        begin[1:] = stages[:-1, 2, :self.n_x]
        begin[self.first[:-1]] = x0
        return begin

    def linearize(self, values: Any, stages: Any) -> Linear:
        """Everything a step needs, at the stage values given."""
        import numpy as np

        n, n_x, n_m, n_q, count = self.n, self.n_x, len(self.moved), len(self.unknowns), len(self.h)
        x0, p, d_x, d_p = self.starts(values)
        res = self._residual(x0, p, stages)
        tangent = self._tangents(p, stages)  # (n, directions, pieces, 3)
        _, d = radau()
        h = self.h[:, None, None]
        # Rows (stage s, equation i), columns (stage j, unknown l); algebraic rows have no difference quotient.
        matrix = np.zeros((count, 3, n, 3, n))
        local = tangent[:, :n].transpose(2, 3, 0, 1)  # (pieces, 3, i, l)
        for s in range(3):
            matrix[:, s, :n_x, s] = -h * local[:, s, :n_x]
            matrix[:, s, n_x:, s] = local[:, s, n_x:]
            for j in range(3):
                matrix[:, s, range(n_x), j, range(n_x)] += d[j + 1, s]
        right = np.zeros((count, 3, n, 1 + n_x + n_m))
        right[..., 0] = -res
        for s in range(3):
            right[:, s, range(n_x), range(1, 1 + n_x)] = -d[0, s]
        outer = tangent[:, n:].transpose(2, 3, 0, 1)  # (pieces, 3, i, moved)
        right[:, :, :n_x, 1 + n_x:] = h[..., None] * outer[:, :, :n_x]
        right[:, :, n_x:, 1 + n_x:] = -outer[:, :, n_x:]
        solved = np.linalg.solve(matrix.reshape(count, 3 * n, 3 * n), right.reshape(count, 3 * n, -1))
        steps = np.empty((count, 3 * n, 1 + n_q))
        steps[:, :, 0] = solved[:, :, 0]
        steps[:, :, 1:] = np.matmul(solved[:, :, 1 + n_x:], d_p[self.owner])
        ends, begins = np.empty((count, n_x, 1 + n_q)), slice(2 * n, 2 * n + n_x)
        through, added = np.ascontiguousarray(solved[:, begins, 1:1 + n_x]), steps[:, begins]
        for r in range(len(self.shots)):
            end = np.concatenate([np.zeros((n_x, 1)), d_x[r]], axis=1)
            for k in range(self.first[r], self.first[r + 1]):
                ends[k] = end
                end = through[k] @ end + added[k]
        steps += np.matmul(solved[:, :, 1:1 + n_x], ends)
        scale = np.ones(n) * self.size
        scale[n_x:] = np.maximum((np.abs(local[:, :, n_x:]) @ self.size).max(axis=(0, 1)) if n > n_x else 1.0, 1e-300)
        return Linear(*self._at_samples(p, d_p, stages, x0, steps, ends), steps, float(np.abs(res / scale).max()),
                      solved[:, begins, 0], through, scale)

    def look(self, values: Any, stages: Any, scale: Any) -> tuple[Any, float]:
        """Values at the samples and the mean size of what the equations of the pieces lack, without derivatives."""
        import numpy as np

        x0, p, _, _ = self.starts(values)
        lack = self._residual(x0, p, stages) / scale
        begin, found = self._begin(x0, stages), []
        for r, shot in enumerate(self.shots):
            xz = self._interpolated(r, begin, stages)
            read = self._read(r, p, xz) if any(shot.place(n) >= self.n for n in shot.experiment.samples) else xz
            for name, (at, _) in shot.experiment.samples.items():
                position = shot.place(name)
                found.append(xz[at, position] if position < self.n else read[at, position - self.n])
        return np.concatenate(found), float(np.abs(lack).mean())

    def _interpolated(self, r: int, begin: Any, stages: Any) -> Any:
        """[x, z] of a run at its sample times."""
        import numpy as np

        place, n_x = self.places[r], self.n_x
        k = place.piece + self.first[r]
        xz = np.empty((len(k), self.n))
        xz[:, :n_x] = place.weights[:, :1] * begin[k] + np.einsum("tj,tji->ti", place.weights[:, 1:], stages[k][:, :, :n_x])
        if self.n > n_x:
            xz[:, n_x:] = np.einsum("tj,tji->ti", place.points, stages[k][:, :, n_x:])
        return xz

    def _read(self, r: int, p: Any, xz: Any) -> Any:
        """Outputs of a run at its sample times, (times, n_y)."""
        import numpy as np

        times = np.array(self.shots[r].experiment.times)
        acted = self.inputs[r].at(times, times)
        return self.kernel("outputs")(times, xz.T[:self.n_x], xz.T[self.n_x:], acted[self.order["input"]],
                                      acted[self.order["disturbance"]], list(p[:, r]), times.shape).T

    def _tangents(self, p: Any, stages: Any) -> Any:
        """Derivatives of the equations along each unknown of a piece and each parameter that moves."""
        import numpy as np

        n, n_m = self.n, len(self.moved)
        seeds = np.eye(n + n_m).reshape(n + n_m, n + n_m, 1, 1)
        q: list[Any] = [0.0] * len(p)
        for c, at in enumerate(self.moved):
            q[at] = seeds[n + c]
        x = stages.transpose(2, 0, 1)
        extended = [*self.parameters(p, self.owner), *seeds[:n], *q]
        return self.kernel("sensitivity")(self.times, x[:self.n_x], x[self.n_x:], self.u, self.d, extended,
                                          (n + n_m, *self.times.shape))

    def _at_samples(self, p: Any, d_p: Any, stages: Any, x0: Any, steps: Any, ends: Any) -> tuple[Any, Any, Any]:
        """Values at the samples, slopes with respect to the unknowns, and shifts."""
        import numpy as np

        n, n_x = self.n, self.n_x
        begin = self._begin(x0, stages)
        moves = steps.reshape(len(self.h), 3, n, -1)
        values, slopes = [], []
        for r, shot in enumerate(self.shots):
            place = self.places[r]
            k = place.piece + self.first[r]
            w = place.weights
            xz = self._interpolated(r, begin, stages)
            change = np.empty((len(k), n, steps.shape[2]))
            change[:, :n_x] = w[:, :1, None] * ends[k] + np.einsum("tj,tjic->tic", w[:, 1:], moves[k][:, :, :n_x])
            if n > n_x:
                change[:, n_x:] = np.einsum("tj,tjic->tic", place.points, moves[k][:, :, n_x:])
            slope: Any = None
            for name, (at, _) in shot.experiment.samples.items():
                position = shot.place(name)
                if position >= n and slope is None:
                    y, slope = self._read(r, p, xz), self._output_change(r, p, d_p, xz, change)
                values.append(xz[at, position] if position < n else y[at, position - n])
                slopes.append(change[at, position] if position < n else slope[position - n][at])
        change = np.concatenate(slopes)
        return np.concatenate(values), change[:, 1:], change[:, 0]

    def _output_change(self, r: int, p: Any, d_p: Any, xz: Any, change: Any) -> Any:
        """Change of the outputs of a run with the constant and each unknown, (n_y, times, 1 + n)."""
        import numpy as np

        n, n_x = self.n, self.n_x
        times = np.array(self.shots[r].experiment.times)
        acted = self.inputs[r].at(times, times)[:, :, None]
        q: list[Any] = [0.0] * len(p)
        for c, at in enumerate(self.moved):
            q[at] = np.concatenate([[0.0], d_p[r, c]])[None, :]
        lane = xz.T[:, :, None]
        extended = [*p[:, r], *change.transpose(1, 0, 2), *q]
        return self.kernel("output_sensitivity")(times[:, None], lane[:n_x], lane[n_x:n], acted[self.order["input"]],
                                                 acted[self.order["disturbance"]], extended, (len(times), change.shape[2]))

    def evaluate(self, values: Any, jacobian: bool = True) -> Evaluation:
        """Values at the samples with the pieces joined: Newton's method from the stage values that are there."""
        import numpy as np

        from twin.calibration.joining import joined

        if self.stages is None:
            self.guess(values)
        ended = joined(self, values, self.stages)
        if ended is None:
            failed = {s.experiment.name: "The pieces of the run could not be joined." for s in self.shots}
            m = len(self.rows)
            return Evaluation(np.full(m, np.nan), np.full((m, len(self.unknowns)), np.nan), failed)
        self.stages, linear = ended
        return Evaluation(linear.values, linear.slopes, {})

    def fit(self, problem: Any, q: Any, **options: Any) -> Any:
        """Minimize the weighted squares of a problem from coordinates q; options as `fit_squares`."""
        from twin.calibration.joining import fit_pieces

        return fit_pieces(self, problem, q, **options)

    def finer(self, x0: Any, parts: Any = None) -> Pieces:
        """The same with each piece divided (in two without `parts`), its stage values read off the present polynomials."""
        import numpy as np

        other = copy.copy(self)
        parts = [[2] * (len(m) - 1) for m in self.meshes] if parts is None else parts
        other._lay([divided(mesh, n) for mesh, n in zip(self.meshes, parts, strict=True)])
        other.stages = np.empty((len(other.h), 3, self.n))
        for r, mesh in enumerate(self.meshes):
            k = slice(other.first[r], other.first[r + 1])
            times = other.times[k].reshape(-1)
            place = Places.of(mesh, times)
            own = self.stages[self.first[r]:self.first[r + 1]]
            begin = np.concatenate([np.zeros((1, self.n_x)), own[:-1, 2, :self.n_x]])
            begin[0] = x0[r]
            x = place.weights[:, :1] * begin[place.piece] + np.einsum("tj,tji->ti", place.weights[:, 1:],
                                                                     own[place.piece][:, :, :self.n_x])
            z = np.einsum("tj,tji->ti", place.points, own[place.piece][:, :, self.n_x:])
            other.stages[k] = np.concatenate([x, z], axis=1).reshape(-1, 3, self.n)
        return other
