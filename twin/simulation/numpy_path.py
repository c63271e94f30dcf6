"""A model as compiled functions on numpy arrays, for solvers of other libraries and for plants that call the equations."""

from __future__ import annotations

import ctypes
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from twin.engine import kernels as engine_kernels
from twin.engine import store


def kernel(system: Any, name: str, compiled: bool = True) -> Callable[..., Any]:
    """One program of a System as function (t, x, z, u, d, p) -> out; compiled where that is wanted and there is a compiler."""
    import numpy as np

    program = system.program(name)
    n_out, n_work = program.size("out"), program.size("work")
    if not compiled or store.compiler() is None:
        plain = engine_kernels.python_kernels(system, [name])[name]

        def slow(t: float, *vectors: Any) -> Any:
            out = [0.0] * n_out
            plain(t, *(v if isinstance(v, list | tuple) else np.asarray(v).tolist() for v in vectors), out, [0.0] * n_work)
            return np.asarray(out, dtype=float)

        return slow
    from twin.engine import load_c

    entry = getattr(load_c.library_of_text(engine_kernels.c_text(system, [name])), f"kernel_{name}")
    entry.argtypes, entry.restype = [ctypes.c_double] + [ctypes.c_void_p] * 7, None
    work = np.zeros(max(n_work, 1))

    def call(t: float, *vectors: Any) -> Any:
        rows = [np.ascontiguousarray(v, dtype=float) for v in vectors]
        out = np.empty(n_out)
        entry(t, *(r.ctypes.data for r in rows), out.ctypes.data, work.ctypes.data)
        return out

    return call


@dataclasses.dataclass(frozen=True, eq=False)
class Equations:
    """Compiled equations of one model at constant inputs; unknowns w are the states, then the algebraics.

    Attributes
    ----------
    names
        Name of each unknown, with its cell ("t_bed[3]").
    start
        Initial states and first guesses of the algebraics.
    states
        Number of states; the rest are algebraics.
    rates
        Function (t, w) -> derivatives of the states, then residuals of the algebraics; time in the unit of the model.
    jacobian
        Function (t, w) -> sparse matrix of their derivatives with respect to w (scipy, CSC).
    """

    names: tuple[str, ...]
    start: Any
    states: int
    rates: Callable[[float, Any], Any]
    jacobian: Callable[[float, Any], Any]


def as_numpy(model: Any, inputs: Mapping[str, Any] | None = None, *, initial: Mapping[str, Any] | None = None,
              parameters: Mapping[str, Any] | None = None) -> Equations:
    """The equations of a model as compiled functions on numpy arrays.

    Parameters
    ----------
    model
        A dynamic or steady model, or a stored one.
    inputs
        Constant inputs and disturbances by name; those of the model's recipe (its first phase) without.
    initial, parameters
        By name, where they differ from those of the model.

    Returns
    -------
    Equations
        Rates, sparse Jacobian, names and start.

    Raises
    ------
    twin.errors.SpecError
        A name, unit or value is wrong, or an input is missing.

    Examples
    --------
    >>> import twin
    >>> from processes.chemical import ExothermicCstr
    >>> f = twin.as_numpy(ExothermicCstr(), {"t_coolant": 300.0})
    >>> f.names, f.jacobian(0.0, f.start).shape
    (('c_a', 'temperature'), (2, 2))
    """
    import numpy as np

    from twin.simulation.kernels import Kernels

    made = Kernels(model, check_limits=False)
    point = made.point(initial, inputs, parameters, consistent=False)
    system = made.functions.system  # type: ignore[attr-defined]
    rhs, jacobian = kernel(system, "rhs"), kernel(system, "jacobian")
    rows, columns = made.functions.places  # type: ignore[attr-defined]
    n_x, n = system.n_x, system.n_x + system.n_z
    u, d, p = (np.asarray(v, dtype=float) for v in (point.u, point.d, point.p))

    def rates(t: float, w: Any) -> Any:
        return rhs(t, w[:n_x], w[n_x:], u, d, p)

    def slopes(t: float, w: Any) -> Any:
        from scipy.sparse import csc_matrix

        return csc_matrix((jacobian(t, w[:n_x], w[n_x:], u, d, p)[:len(rows)], (rows, columns)), shape=(n, n))

    names = [""] * n
    for first, role in ((0, "state"), (n_x, "algebraic")):
        for r in system.layout(role):
            for k in range(r.count):
                names[first + r.start + k * r.step] = f"{r.signal.name}[{k}]" if r.shape else r.signal.name
    return Equations(tuple(names), np.asarray(point.x + point.z, dtype=float), n_x, rates, slopes)
