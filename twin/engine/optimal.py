"""The optimal-control solver from Python: one problem, lowered and compiled once, solved again and again."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Sequence
from typing import Any

from twin import errors
from twin.engine import executions, load_ocp, optimal_tables, shapes, workers
from twin.engine import ocp_records as r
from twin.engine.optimal_spec import Carried, OcpSpec, chain
from twin.status import Status

__all__ = ["Carried", "OcpData", "OcpResult", "OcpSolver", "OcpSpec", "chain"]

STARTS = ("rollout", "nodes", "points", "warm")
STATUSES = (Status.SUCCESS, Status.STOPPED, Status.ITERATION_LIMIT, Status.TIME_LIMIT, Status.INFEASIBLE,
            Status.NOT_CONVERGED, Status.NOT_FINITE)
DIRECT = 0.02  # seconds: a call that took less last time is made in the calling thread
PATIENCE = 0.5  # seconds of solving after which the solver is compiled for the problem alone
FEASIBLE = 1e-6


def _slots(record: Any) -> list[int]:
    """Addresses and row lengths of the arrays of a record."""
    out: list[int] = []
    for array in record:
        out += [array.ctypes.data, *array.shape[1:]]
    return out


class OcpData:
    """Bounds, parameters and guess of one solve: numpy arrays to write into; see docs/optimal_control_theory.md.

    Attributes
    ----------
    x_lower, x_upper, u_lower, u_upper, row_lower, row_upper
        Limits of states, inputs and function rows at each node, (nodes, n). Equal limits are an equality.
    xp_lower, xp_upper, zp_lower, zp_upper, path_lower, path_upper
        Limits at the collocation points, (edges, points, n); the last point of an edge is the node, with its own limits.
    p_edge, p_node
        Parameters of each edge and node.
    t_start, length
        Time at the start of each edge and its length.
    weight_node, weight_edge
        Weights of the costs.
    x, u, xp, zp
        Guess.
    """

    x_lower: Any
    x_upper: Any
    u_lower: Any
    u_upper: Any
    row_lower: Any
    row_upper: Any
    xp_lower: Any
    xp_upper: Any
    zp_lower: Any
    zp_upper: Any
    path_lower: Any
    path_upper: Any

    def __init__(self, spec: OcpSpec) -> None:
        import numpy as np

        self.record = shapes.arrays(r.Data, optimal_tables.data_shapes(spec))
        d, m = self.record, spec.points
        for low, high in ((d.node_low, d.node_high), (d.point_low, d.point_high)):
            low[...], high[...] = -np.inf, np.inf
        d.weight_node[...] = 1.0
        d.weight_edge[...] = 1.0
        d.length[...] = 1.0
        n_x, n_y, n_c, n_v = spec.n_x, spec.n_x + spec.n_u, spec.n_c, spec.n_c + spec.n_z
        edges = spec.nodes - 1
        for side, node, point in (("lower", d.node_low, d.point_low), ("upper", d.node_high, d.point_high)):
            at_points = point.reshape(edges, m, point.shape[1])
            for name, view in (("x", node[:, :n_x]), ("u", node[:, n_x:n_y]), ("row", node[:, n_y:]),
                               ("xp", at_points[:, :, :n_c]), ("zp", at_points[:, :, n_c:n_v]), ("path", at_points[:, :, n_v:])):
                setattr(self, f"{name}_{side}", view)
        self.p_edge, self.p_node, self.t_start, self.length = d.p_edge, d.p_node, d.t_start, d.length
        self.weight_node, self.weight_edge = d.weight_node, d.weight_edge
        self.x, self.u = d.guess_x, d.guess_u
        self.xp, self.zp = d.guess_xp.reshape(edges, m, n_c), d.guess_zp.reshape(edges, m, spec.n_z)
        self.slots = np.array(_slots(d), np.int64)
        self.equal: bytes | None = None
        self.spec, self.most_equalities = spec, (0, 0)

    @classmethod
    def empty(cls, spec: OcpSpec) -> OcpData:
        """Data without limits and with a zero guess; nothing is lowered for it."""
        return cls(spec)

    def fix_initial(self, x0: Any) -> None:
        """Fix the states of the root."""
        self.x_lower[0] = self.x_upper[0] = self.x[0] = x0

    def count_equalities(self) -> tuple[int, int]:
        """Room that the equalities of the nodes need: rows in all, and at one node."""
        d, spec = self.record, self.spec
        equal = d.node_low == d.node_high
        equal[0, :spec.n_x] = False
        equal[:, spec.n_x:spec.n_x + spec.n_u] = False
        key = equal.tobytes()
        if key != self.equal:
            own = equal.sum(1).tolist()
            rows = list(own)
            for n in range(spec.nodes - 1, 0, -1):
                rows[spec.parents[n]] += min(spec.n_x, rows[n])
            first = [0]
            for n in rows:
                first.append(first[-1] + n)
            d.g_first[...] = first
            self.equal, self.most_equalities = key, (first[-1], max(rows))
        return self.most_equalities


class OcpResult:
    """How a solve ended, in the units of the problem.

    Attributes
    ----------
    status, code
        How it ended.
    objective, iterations, error, violation, restorations, further_starts
        Cost; iterations; scaled error of the optimality conditions; largest violation (scaled); starts after the first.
    """

    def __init__(self, solver: OcpSolver) -> None:
        import numpy as np

        self.solver = solver
        self.code = -1
        self.flat = np.zeros(solver.answer_length)

    def _part(self, name: str) -> Any:
        at, shape, length = self.solver.answer_places[name]
        part = self.flat[at:at + length]
        return (part.view("int64") if name == "stat" else part).reshape(shape)

    @property
    def status(self) -> Status:
        """How it ended."""
        return STATUSES[self.code]

    objective = property(lambda self: float(self._part("info")[r.OBJECTIVE]), doc="Cost.")
    error = property(lambda self: float(self._part("info")[r.ERROR]), doc="Scaled error of the optimality conditions.")
    violation = property(lambda self: float(self._part("info")[r.VIOLATION]), doc="Largest violation, scaled.")
    iterations = property(lambda self: int(self._part("stat")[r.ITERATIONS]), doc="Iterations.")
    restorations = property(lambda self: int(self._part("stat")[r.RESTORATIONS]), doc="Restorations.")
    further_starts = property(lambda self: int(self._part("stat")[r.FURTHER_STARTS]), doc="Starts after the first.")
    factors = property(lambda self: int(self._part("stat")[r.FACTORS]), doc="Factorizations.")
    feasible = property(lambda self: self.violation <= FEASIBLE, doc="All limits and dynamics hold to 1e-6, scaled.")

    def _shaped(self, name: str, scale: str, points: bool) -> Any:
        spec = self.solver.spec
        part = self._part(name)
        if points:
            part = part.reshape(spec.nodes - 1, spec.points, part.shape[1])
        return part * self.solver.scale_arrays[scale]

    x = property(lambda self: self._shaped("x", "x", False), doc="States (nodes, n_x).")
    u = property(lambda self: self._shaped("u", "u", False), doc="Inputs (nodes, n_u).")
    zp = property(lambda self: self._shaped("zp", "z", True), doc="Algebraics (edges, points, n_z).")

    @property
    def xp(self) -> Any:
        """Collocated states at the points (edges, points, n_c)."""
        return self._shaped("xp", "x", True)[:, :, :self.solver.spec.n_c]

    @property
    def _factor(self) -> float:
        return float(self._part("info")[r.FACTOR])

    @property
    def costate(self) -> Any:
        """Derivative of the cost by the states at each node (nodes, n_x)."""
        return self._part("costate") / self.solver.scale_arrays["x"] / self._factor

    def _duals(self) -> tuple[Any, Any]:
        fields, spec = self.solver.tables.fields, self.solver.spec
        y, first = self._part("y") / self._factor, fields["counts"][r.FIRST_POINT_ROW]
        nodes = y[:first].reshape(spec.nodes, -1) / self.solver.scale_arrays["node"]
        points = y[first:].reshape(spec.nodes - 1, spec.points, spec.n_c + spec.n_z + spec.n_path)
        return nodes, points / self.solver.scale_arrays["point"]

    x_dual = property(lambda self: self._duals()[0][:, :self.solver.spec.n_x],
                      doc="Multiplier of the upper minus that of the lower limits: the cost changes by -dual per limit.")
    u_dual = property(lambda self: self._duals()[0][:, self.solver.spec.n_x:self.solver.spec.n_x + self.solver.spec.n_u],
                      doc="As x_dual, of the inputs.")
    row_dual = property(lambda self: self._duals()[0][:, self.solver.spec.n_x + self.solver.spec.n_u:],
                        doc="As x_dual, of the function rows.")
    xp_dual = property(lambda self: self._duals()[1][:, :, :self.solver.spec.n_c], doc="As x_dual, at the points.")
    zp_dual = property(lambda self: self._duals()[1][:, :, self.solver.spec.n_c:self.solver.spec.n_c + self.solver.spec.n_z],
                       doc="As x_dual, of the algebraics.")
    path_dual = property(lambda self: self._duals()[1][:, :, self.solver.spec.n_c + self.solver.spec.n_z:],
                         doc="As x_dual, of the path values.")


class _Workspace:
    """Buffers of one thread and the array of slots that the compiled entry takes."""

    def __init__(self, solver: OcpSolver, equalities: tuple[int, int]) -> None:
        import numpy as np

        self.room = equalities
        self.work = shapes.arrays(r.Work, optimal_tables.work_shapes(solver.tables, *equalities))
        front = [*solver.kernel_slots, *solver.ocp_slots]
        data = sum(max(1, shapes.kind_of(r.Data, f)[1]) for f in r.Data._fields)
        self.data_at = slice(len(front), len(front) + data)
        own = _slots(self.work)
        at = len(front) + data + len(own)
        answer = len(solver.answer_template)
        self.warm_at, self.out_at = slice(at, at + answer), slice(at + answer, at + 2 * answer)
        self.slots = np.array([*front, *[0] * data, *own, *[0] * (2 * answer)], np.int64)
        self.address = self.slots.ctypes.data


class OcpSolver:
    """One optimal-control problem, ready to be solved for many data.

    Parameters
    ----------
    spec
        The problem.
    execution
        "auto", "python", "c" or "numba"; None: what `twin.use` chose.
    """

    def __init__(self, spec: OcpSpec, execution: str | None = None) -> None:
        import numpy as np

        self.spec = spec
        self.tables = optimal_tables.tables_of(spec)
        name = executions.wanted(execution)
        self.execution = executions.compiled_name() if name == "auto" else name
        self.built = True
        at, self.answer_places = 0, {}
        template, moving = [], []
        for field, shape in optimal_tables.answer_shapes(self.tables).items():
            length = int(np.prod(shape))
            self.answer_places[field] = (at, shape, length)
            template += [8 * at, *shape[1:]]
            moving += [1, *[0] * (len(shape) - 1)]
            at += length
        self.answer_length = at
        self.answer_template, self.answer_moving = np.array(template, np.int64), np.array(moving, np.int64)
        scale = {k: np.array(spec.scale(f"{k}_scale")) for k in ("x", "u", "z")}
        fields = self.tables.fields
        scale["node"] = np.array([fields["node_scale"][k] for k in fields["kind"]]).reshape(spec.nodes, -1)
        scale["point"] = np.array(fields["point_scale"])
        self.scale_arrays = scale
        names = r.Ocp._fields[len(load_ocp.KERNEL_FIELDS):]
        self.ocp_arrays = [shapes.as_arrays(r.Ocp, _Fields(fields), (f,))[f] for f in names]
        self.ocp_slots = [v for a in self.ocp_arrays for v in (a.ctypes.data, *a.shape[1:])]
        self.kernel_slots = [0] * len(load_ocp.KERNEL_FIELDS)
        if self.execution == "c" and name == "auto" and not load_ocp.c_ready(self.tables):
            self.entry, self.kernel_slots = load_ocp.general_entry(self.tables)
            self.built = False
        elif self.execution == "c":
            self.entry = load_ocp.c_entry(self.tables)
        elif self.execution == "python":
            self.ocp = load_ocp.python_ocp(self.tables)
        else:
            self.entry, self.kernel_slots = load_ocp.llvm_entry(self.tables)
        self._free: list[_Workspace] = []
        self._lock = threading.Lock()
        self._running: list[_Workspace] = []
        self._took = DIRECT
        self._spent, self._building = 0.0, False

    def build(self) -> None:
        """Compile the solver for this problem alone, some seconds; "auto" does so beside the solves once it pays."""
        if not self.built:
            self.entry = load_ocp.c_entry(self.tables)
            self.built = True

    def _build_beside(self) -> None:
        with self._lock:
            if self.built or self._building:
                return
            self._building = True

        def work() -> None:
            with contextlib.suppress(errors.LoweringError, OSError):
                self.build()

        threading.Thread(target=work, daemon=True).start()

    def data(self) -> OcpData:
        """Data of a solve: no limits, zero guess."""
        return OcpData(self.spec)

    def solve(self, data: OcpData, start: str = "rollout", warm: OcpResult | None = None, shift: int = 0, *,
              tol: float = 1e-8, max_iterations: int = 500, max_seconds: float | None = None, mu: float | None = None,
              keep: str = "best", attempts: int = 3, direct: bool = False) -> OcpResult:
        """Solve once.

        Parameters
        ----------
        data
            Limits, parameters and guess.
        start
            "rollout": the equations are simulated with the guessed inputs; "nodes": from the states at the nodes; "points":
            from all values; "warm": from `warm`, moved on by `shift` edges.
        tol
            Largest scaled error of the optimality conditions.
        max_iterations, max_seconds
            Limits; the best feasible iterate is given where one is reached.
        mu
            Start of the barrier parameter; None: 0.1, and 0.1 tol in a warm start, which is begun anew where that leads nowhere.
        keep
            What is returned where a limit ended it: the "best" feasible iterate, or the "last" one.
        attempts
            Further starts where one leads nowhere: a simulation with the old inputs, the guess, small and middling inputs.
        direct
            In the calling thread, however long it takes: Ctrl-C is heard only afterwards.
        """
        self._set(data, start, warm, shift, tol, max_iterations, mu, keep, attempts)
        space = self._space(data)
        out = OcpResult(self)
        try:
            space.work.stop[0] = 0
            if max_seconds is None and (direct or self._took < DIRECT):
                self._call(space, data, warm, out)
            else:
                self._guarded(space, data, warm, out, max_seconds)
        finally:
            with self._lock:
                self._running.remove(space)
                self._free.append(space)
        return out

    def solve_many(self, data: Sequence[OcpData], threads: int | None = None, *, start: str = "rollout",
                   warm: Sequence[OcpResult] | None = None, **options: Any) -> list[OcpResult]:
        """Solve for many data on threads, each with buffers of its own; results in the order of the data.

        `options` are those of `solve`; `warm` holds an answer for each.
        """
        import itertools

        results: list[OcpResult | None] = [None] * len(data)
        places = itertools.count()  # `next` on it is atomic
        halted = threading.Event()

        def job() -> None:
            for i in places:
                if i >= len(data) or halted.is_set():
                    return
                results[i] = self.solve(data[i], start, None if warm is None else warm[i], direct=True, **options)

        def stop() -> None:
            halted.set()
            self.stop()

        count = workers.default_threads() if threads is None else threads
        count = 1 if self.execution == "python" else max(1, min(count, len(data)))
        workers.wait_for([job] * count, stop)
        for i, result in enumerate(results):
            if result is None:
                results[i] = OcpResult(self)
                results[i].code = STATUSES.index(Status.STOPPED)  # type: ignore[union-attr]
        return results  # type: ignore[return-value]

    def _guarded(self, space: _Workspace, data: OcpData, warm: OcpResult | None, out: OcpResult, seconds: float | None) -> None:
        """In a worker thread, so that Ctrl-C and the time limit are heard while it runs."""
        end = None if seconds is None else time.perf_counter() + seconds

        def stop() -> None:
            space.work.stop[0] = 1

        def look() -> None:
            if end is not None and time.perf_counter() > end:
                space.work.stop[0] = 2

        pause = workers.WAIT if seconds is None else min(workers.WAIT, 0.1 * seconds)
        workers.wait_for([lambda: self._call(space, data, warm, out)], stop, look, pause)

    def _set(self, data: OcpData, start: str, warm: OcpResult | None, shift: int, tol: float, most: int,
             mu: float | None, keep: str, attempts: int) -> None:
        d = data.record
        if start not in STARTS or (start == "warm") != (warm is not None):
            raise errors.SpecError(f"{self.spec.name}: start is '{start}' and warm is {'' if warm is None else 'not '}None. "
                                   f"Expected one of {', '.join(STARTS)}, and an answer with 'warm' only.")
        d.option[r.START], d.option[r.SHIFT], d.option[r.MAX_ITERATIONS] = STARTS.index(start), shift, most
        d.option[r.KEEP_LAST], d.option[r.ATTEMPTS] = int(keep == "last"), attempts + (attempts > 0 and warm is not None)
        d.setting[r.TOLERANCE] = tol
        d.setting[r.MU_START] = mu if mu is not None else 0.1 if warm is None else 0.1 * tol

    def _space(self, data: OcpData) -> _Workspace:
        room = data.count_equalities()
        with self._lock:
            space = self._free.pop() if self._free else None
            if space is None or space.room[0] < room[0] or space.room[1] < room[1]:
                space = _Workspace(self, room)
            self._running.append(space)
        return space

    def _call(self, space: _Workspace, data: OcpData, warm: OcpResult | None, out: OcpResult) -> None:
        begin = time.perf_counter()
        if self.execution == "python":
            out.code = self._plain(space, data, warm, out)
        else:
            slots = space.slots
            slots[space.data_at] = data.slots
            slots[space.out_at] = self.answer_template + self.answer_moving * out.flat.ctypes.data
            if warm is not None:
                slots[space.warm_at] = self.answer_template + self.answer_moving * warm.flat.ctypes.data
            else:
                slots[space.warm_at] = slots[space.out_at]
            out.code = self.entry(space.address)
        self._took = time.perf_counter() - begin
        self._spent += self._took
        if not self.built and self._spent > PATIENCE:
            self._build_beside()

    def _plain(self, space: _Workspace, data: OcpData, warm: OcpResult | None, out: OcpResult) -> int:
        """In plain Python, on lists."""
        from twin.engine import ocp_solver

        lists = r.Data(**{f: a.tolist() for f, a in zip(r.Data._fields, data.record, strict=True)})
        work_shapes = optimal_tables.work_shapes(self.tables, *space.room)
        work = shapes.lists(r.Work, work_shapes)._replace(stop=space.work.stop)
        answer = shapes.lists(r.Answer, optimal_tables.answer_shapes(self.tables))
        given = answer if warm is None else r.Answer(**{f: warm._part(f).tolist() for f in r.Answer._fields})
        code = int(ocp_solver.solve_ocp(self.ocp, lists, work, given, answer))
        for f in r.Answer._fields:
            part = out._part(f)
            if part.size:
                part[...] = getattr(answer, f)
        for target, source in zip(space.work.trace, work.trace, strict=True):
            target[...] = source
        return code

    def stop(self) -> None:
        """End all solves that are running, at their next iteration."""
        with self._lock:
            for space in self._running:
                space.work.stop[0] = 1

    def trace(self) -> Any:
        """Lines of the last solve: barrier, cost, infeasibility, error, regularization, step, dual error, elastic mode."""
        return self._free[-1].work.trace


class _Fields:
    """A dictionary as an object with attributes."""

    def __init__(self, fields: dict[str, Any]) -> None:
        vars(self).update(fields)
