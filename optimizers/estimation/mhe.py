"""Mhe: states by least squares over a moving window, with limits."""

from __future__ import annotations

import dataclasses
import math
import time as clock
from collections.abc import Mapping
from typing import Any

from optimizers.dynamic.problem import count
from twin import Ekf, errors
from twin.controller import AbstractEstimator, EstimatorInfo
from twin.lazy import jnp
from twin.status import Status

SHARE = 0.5  # of the interval that a step may take
SPARE = 4  # further instants of a window, for readings taken between the steps


@dataclasses.dataclass(frozen=True, eq=False)
class MheState:
    """State of the estimator: that of the Kalman filter whose window it smooths, and the solver's last result."""

    filter: Any
    warm: Any = None

    @property
    def time(self) -> float:
        """Time of the estimate."""
        return float(self.filter.time)


class Mhe(AbstractEstimator):
    """Moving-horizon estimation: the trajectory over the last `horizon` intervals that fits readings, model and limits best.

    Parameters
    ----------
    model, measured, interval, noise, walks, initial, sd, parameters, gate, execution
        As in `twin.Ekf`.
    horizon
        Intervals of the window; readings may be as late as that.
    degree
        Radau points of an interval.
    tolerance, max_iterations, max_seconds
        Of the solver; by default a step may take half the interval.

    Raises
    ------
    twin.errors.SpecError
        A name, unit or value is wrong; or a quantity that depends on algebraic variables is measured.

    Notes
    -----
    Minimized is the arrival cost (x - m)' P^-1 (x - m) / 2 at the start of the window, plus half the sum of the squares of all
    deviations of readings and of the errors of the model, each over its standard deviation; errors of the model are constant
    rates over an interval. m and P are those of an extended Kalman filter that has seen everything before the window (Rao,
    Rawlings and Mayne, IEEE Trans. Autom. Control 48 (2003) 246-258, doi:10.1109/TAC.2002.808470). Estimates stay within the
    limits of their signals. Where the solver fails, the estimate is that of the Kalman filter, and the info says so.

    Examples
    --------
    >>> import optimizers
    >>> from processes.chemical import VanDeVusse
    >>> watch = optimizers.Mhe(VanDeVusse.do_mpc(), {"t_reactor": 0.3, "t_jacket": 0.3}, interval="18 s", horizon=5)
    >>> state = watch.init()
    >>> state, info = watch.step(state, {"t_reactor": 133.0, "t_jacket": 129.0}, inputs={"flow": 20, "duty": -2000})
    >>> info.used
    ('t_reactor', 't_jacket')
    """

    interval: float
    names: tuple[str, ...]

    def __init__(self, model: Any, measured: Mapping[str, Any], *, interval: float | str, horizon: int = 10,
                 noise: Mapping[str, Any] | None = None, walks: Mapping[str, Any] | None = None,
                 initial: Mapping[str, Any] | None = None, sd: Mapping[str, Any] | None = None,
                 parameters: Mapping[str, Any] | None = None, gate: float | None = 5.0, degree: int = 3,
                 tolerance: float = 1e-8, max_iterations: int = 50, max_seconds: float | None = None,
                 execution: str | None = None) -> None:
        import numpy as np

        from twin import units
        from twin.simulation.checks import Checker

        length = Checker(model).time("interval", interval)
        self.horizon = count("horizon", horizon)
        self.filter = Ekf(model, measured, interval=length, noise=noise, walks=walks, initial=initial, sd=sd,
                          parameters=parameters, longest_delay=self.horizon * length, gate=gate, execution=execution)
        self.interval, self.names = self.filter.interval, self.filter.names
        self.model = model
        held = self.filter.numbers.model
        if held.size("algebraic"):
            bound = [n for n in self.filter.names if held.place(n)[0] != "state"]
            if bound:
                raise errors.SpecError(f"{', '.join(bound)} may depend on algebraic variables. An Mhe takes measured states "
                                       "there; use twin.Ekf, or make the quantity a state.")
        self.noisy = np.flatnonzero(np.diag(self.filter.density) > 0)
        self.edges = self.horizon + SPARE
        seconds = float(units.to_model_unit("interval", f"{self.interval} {model.time_unit}", "s"))
        self.options: dict[str, Any] = {"tol": tolerance, "max_iterations": max_iterations,
                                        "max_seconds": SHARE * seconds if max_seconds is None else max_seconds}
        self.degree, self.execution = degree, execution
        self._made: list[Any] = []

    # -- problem ------------------------------------------------------------------------------------------------------------

    def spec(self) -> Any:
        """The OcpSpec of the window; unused intervals at its beginning have no length.

        An edge has the parameters [those of the held model, sd of the noise]; a node [readings, 1 / sd or 0 of each, parameters
        of the held model, mean and inverse root of the arrival cost].
        """
        from twin.engine.optimal import OcpSpec, chain

        numbers, noisy = self.filter.numbers, self.noisy
        held, n_p, n_y = numbers.model, len(numbers.p), len(self.filter.names)
        n_x, n_z = held.size("state"), held.size("algebraic")
        spread = jnp_matrix(n_x, noisy)

        def point(t: Any, x: Any, z: Any, u: Any, s: Any, p: Any) -> tuple[Any, ...]:
            rates, residuals = held.with_parameter_vector(p[:n_p]).derivative(s, x, z, jnp.zeros(0), jnp.zeros(0))
            return rates + spread @ (p[n_p:] * u), residuals, jnp.zeros(0), 0.0

        def misfit(x: Any, p: Any) -> Any:
            model = held.with_parameter_vector(p[2 * n_y:2 * n_y + n_p])
            seen = model.output_vector(0.0, x, jnp.zeros(n_z), jnp.zeros(0), jnp.zeros(0))
            return 0.5 * jnp.sum((p[n_y:2 * n_y] * (seen - p[:n_y])) ** 2)

        def stage(x: Any, u: Any, p: Any) -> tuple[Any, Any]:
            return misfit(x, p) + 0.5 * jnp.sum(u**2), jnp.zeros(0)

        def terminal(x: Any, p: Any) -> tuple[Any, Any]:
            return misfit(x, p), jnp.zeros(0)

        def initial(x: Any, u: Any, p: Any) -> tuple[Any, Any]:
            at = 2 * n_y + n_p
            off = p[at + n_x:].reshape(n_x, n_x) @ (x - p[at:at + n_x])
            return 0.5 * jnp.sum(off**2) + stage(x, u, p)[0], jnp.zeros(0)

        scale = [abs(v) or 1.0 for v in numbers.kernels.check.nominal("state")]
        return OcpSpec(f"{held.title} window", point, stage, terminal, initial, parents=chain(self.edges), n_c=n_x,
                       n_u=len(noisy), n_z=n_z, n_p_edge=n_p + len(noisy),
                       n_p_node=2 * n_y + n_p + n_x + n_x * n_x, degree=self.degree,
                       x_scale=scale, z_scale=[abs(v) or 1.0 for v in numbers.kernels.check.nominal("algebraic")])

    def _solver(self) -> Any:
        from twin.engine.optimal import OcpSolver

        if not self._made:
            self._made.append(OcpSolver(self.spec(), execution=self.execution))
            self._made[0].build()
        return self._made[0]

    def _data(self, solver: Any, nodes: Any) -> Any:
        """The window as data: padded at the beginning by intervals without length."""
        import numpy as np

        d, f, numbers = solver.data(), self.filter, self.filter.numbers
        pad, n_y, n_p, n_x = self.edges + 1 - len(nodes), len(f.names), len(numbers.p), len(f.low)
        d.length[:], d.t_start[:] = 1.0, 0.0
        d.x_lower[:], d.x_upper[:] = f.low, f.high
        variance = np.diag(f.density)[self.noisy]
        d.p_edge[:, :n_p] = numbers.parameters(nodes[0].held, nodes[0].time, 0.0)
        d.p_edge[:, n_p:] = 0.0
        d.u_lower[:pad], d.u_upper[:pad] = 0.0, 0.0
        d.u_lower[pad:], d.u_upper[pad:] = -math.inf, math.inf
        d.p_node[:] = 0.0
        d.p_node[:, 2 * n_y:2 * n_y + n_p] = numbers.parameters(nodes[0].held, nodes[0].time, self.interval)
        root = np.linalg.cholesky(np.linalg.inv(nodes[0].cov + 1e-14 * np.diag(np.diag(nodes[0].cov)))).T
        d.p_node[0, 2 * n_y + n_p:2 * n_y + n_p + n_x] = nodes[0].x
        d.p_node[0, 2 * n_y + n_p + n_x:] = root.reshape(-1)
        inside = np.clip(nodes[0].x, f.low, f.high)
        d.x[:] = inside
        d.u[:] = 0.0
        for k, node in enumerate(nodes):
            at = pad + k
            d.p_node[at, 2 * n_y:2 * n_y + n_p] = numbers.parameters(node.held, node.time, self.interval)
            for name, value in node.readings:
                j = f.names.index(name)
                # several readings of one quantity at one instant count as their mean with the smaller variance
                known, weight = d.p_node[at, j], d.p_node[at, n_y + j] ** 2 * f.noise_of_readings[j]
                d.p_node[at, j] = (known * weight + value) / (weight + 1)
                d.p_node[at, n_y + j] = math.sqrt((weight + 1) / f.noise_of_readings[j])
            if k + 1 < len(nodes):
                length = nodes[k + 1].time - node.time
                d.p_edge[at, :n_p] = numbers.parameters(node.held, node.time, length)
                d.p_edge[at, n_p:] = np.sqrt(variance * length)
            d.x[at] = np.clip(node.x, f.low, f.high)
        return d

    # -- contract -----------------------------------------------------------------------------------------------------------

    def init(self, initial: Mapping[str, float] | None = None, *, sd: Mapping[str, float] | None = None,
             time: float = 0.0) -> MheState:
        """First state; arguments as in `twin.Ekf.init`."""
        return MheState(self.filter.init(initial, sd=sd, time=time))

    def warm_up(self) -> None:
        """Compile what a step needs."""
        self.filter.warm_up()
        state = self.init()
        self.step(state, {n: math.nan for n in self.filter.names}, inputs={})

    def step(self, state: MheState, measurements: Mapping[str, Any], *, inputs: Mapping[str, float],
             time: float | None = None) -> tuple[MheState, EstimatorInfo]:
        """State and estimate at `time`; arguments and results as in `twin.Ekf.step`."""
        begin = clock.perf_counter()
        own, info = self.filter.step(state.filter, measurements, inputs=inputs, time=time)
        said = [info.message] if info.message else []
        if own is state.filter:
            return state, info
        nodes = self._window(own)
        try:
            solver = self._solver()
            result = solver.solve(self._data(solver, nodes), start="nodes", **self.options)
        except (errors.TwinError, ArithmeticError, ValueError) as problem:
            result = None
            said.append(f"The window could not be solved: {problem}")
        if result is None or not (result.status or result.feasible):
            if result is not None:
                said.append(f"The window was not solved. {result.status}")
            said.append("The estimate is that of the Kalman filter.")
            status = Status.NOT_CONVERGED if result is None else result.status
            return MheState(own), dataclasses.replace(info, status=status, message=" ".join(said),
                                                      seconds=clock.perf_counter() - begin)
        x = result.x[-1]
        names = list(info.estimate)
        clipped = tuple(n for n, v, low, high in zip(names, x, self.filter.low, self.filter.high, strict=True)
                        if v <= low + 1e-6 * (1 + abs(low)) or v >= high - 1e-6 * (1 + abs(high)))
        return MheState(own, result), dataclasses.replace(
            info, status=result.status if result.status else Status.FEASIBLE, message=" ".join(said), clipped=clipped,
            estimate=dict(zip(names, map(float, x), strict=True)), seconds=clock.perf_counter() - begin)

    def _window(self, own: Any) -> Any:
        """The newest instants that fit; those left out have gone into the arrival cost."""
        return own.nodes[-(self.edges + 1):]


def jnp_matrix(n: int, columns: Any) -> Any:
    """Columns of the unit matrix."""
    import numpy as np

    return np.eye(n)[:, columns]
