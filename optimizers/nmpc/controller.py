"""Nmpc: a controller that optimizes a model over a moving horizon and always gives an input."""

from __future__ import annotations

import dataclasses
import math
import time as clock
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.nmpc.batch import NmpcBatch, solve_many
from optimizers.nmpc.formulation import Moment
from optimizers.nmpc.moments import Reader
from optimizers.nmpc.prediction import Prediction
from optimizers.nmpc.statement import statement_of
from optimizers.nmpc.stepping import Outcome, Stepper
from optimizers.nmpc.tree import tree
from twin import errors
from twin.controller import AbstractController, ControllerInfo
from twin.status import Status

SHARE = 0.5  # of the interval that a step may take


@dataclasses.dataclass(frozen=True, eq=False)
class NmpcState:
    """State of a controller: time, inputs applied last, the last plan that was good, and the solver's warm start.

    Attributes
    ----------
    time
        Time of the next step.
    inputs
        Moved inputs applied last, or None.
    plan
        Inputs of the last good plan, shape (intervals, inputs), or None.
    age
        Intervals since that plan was made.
    warm
        What the solver remembers of the last step, or None.
    """

    time: float
    inputs: Any
    plan: Any = None
    age: int = 0
    warm: Any = None


class Nmpc(AbstractController):
    """Nonlinear model predictive control: at each step the best inputs over a horizon, of which the first is applied.

    Parameters
    ----------
    model
        A dynamic model.
    moves
        Inputs that the controller moves: a name, names, {name: (lower, upper)} or {name: Move(lower, upper, rate=...)}.
    interval
        Time between two steps, in the time unit of the model or with a unit ("18 s"). Inputs are held over it.
    horizon
        Intervals that it looks ahead.
    track
        {signal: target}, {signal: (target, weight)} or {signal: Track(...)}: quantities held at a target.
    minimize, maximize
        A signal, or {signal: weight}: values counted at each step of the horizon and at its end; `Integral(signal)`: over time.
    change
        {input: cost of the square of its change from one interval to the next}.
    limits
        {signal: (lower, upper)} that hold from the end of the first interval on, also between the steps; `twin.soft(...)` may be
        exceeded at a price at each step; a `twin.Profile` (over the time of the plant) for a side that changes; or a list.
    final
        {signal: value or (lower, upper)} at the end of the horizon.
    inputs
        Inputs and disturbances that are not moved: numbers, text with units, profiles; nominal values for disturbances left out.
    parameters
        Values that replace those of the model.
    scenarios
        `twin.Scenarios`: the inputs of the first `branching` intervals must suit all samples, later ones may differ.
    branching
        In how many of the first intervals the samples are told apart anew.
    blocks
        Lengths, in intervals, over which the inputs stay, such as (1, 1, 2, 4, 12); replaces `horizon`.
    degree, elements
        Radau collocation: points of an element, elements of an interval.
    last_interval
        False: hard limits do not hold in the last interval and at its end (as in do-mpc 5.1).
    real_time
        True: one Newton iteration a step, from the shifted plan of the step before.
    tolerance, max_iterations, max_seconds
        Of the solver; by default a step may take half the interval.
    execution
        "python", "c", "numba" or "auto", as in `twin.simulate`.

    Raises
    ------
    twin.errors.SpecError
        A name, unit or value is wrong.

    Notes
    -----
    `step` never raises after `warm_up`. Where the limits cannot all hold, it gives the plan that violates them least; where the
    solver fails or the estimate cannot be used, the shifted last good plan; without one, the last inputs. `info` says which.

    Examples
    --------
    >>> import optimizers
    >>> from processes.chemical import VanDeVusse
    >>> control = optimizers.Nmpc(VanDeVusse.do_mpc(), moves={"flow": (5, 100), "duty": (-8500, 0)}, interval="18 s",
    ...                           track={"c_b": 0.6}, change={"flow": 1e-5, "duty": 2.5e-10}, limits={"t_reactor": (None, 140)})
    >>> state = control.init({"flow": 20.0, "duty": -2000.0})
    >>> state, info = control.step(state, {"c_a": 0.8, "c_b": 0.5, "t_reactor": 134.14, "t_jacket": 130.0})
    >>> bool(info.status), sorted(info.inputs)
    (True, ['duty', 'flow'])
    """

    def __init__(self, model: Any, *, moves: Any, interval: float | str, horizon: int = 20,
                 track: Mapping[str, Any] | None = None, minimize: Any = None, maximize: Any = None,
                 change: Mapping[str, float] | None = None, limits: Mapping[str, Any] | None = None,
                 final: Mapping[str, Any] | None = None, inputs: Mapping[str, Any] | None = None,
                 parameters: Mapping[str, Any] | None = None, scenarios: Any = None, branching: int = 1,
                 blocks: Sequence[int] | None = None, degree: int = 3, elements: int = 1, last_interval: bool = True,
                 real_time: bool = False, tolerance: float = 1e-8, max_iterations: int = 200,
                 max_seconds: float | None = None, execution: str | None = None) -> None:
        import numpy as np

        self.model = model
        self.statement = st = statement_of(
            model, moves=moves, interval=interval, horizon=horizon, track=track or {}, maximize=maximize, minimize=minimize,
            change=change or {}, limits=limits or {}, final=final or {}, inputs=inputs or {}, parameters=parameters,
            blocks=blocks, degree=degree, elements=elements, last_interval=last_interval)
        self.interval, self.scenarios, self.real_time = st.interval, scenarios, real_time
        weights, samples = [1.0], np.array([st.p])
        if scenarios is not None:
            weights, samples = list(scenarios.weights), self._samples(scenarios)
            if branching < 1:
                raise errors.SpecError(f"branching is {branching}. Expected at least 1 where scenarios are given.")
        self.reader = Reader(st, samples, () if scenarios is None else tuple(scenarios.parameters))
        self.tree = tree(st.steps, weights, branching if scenarios is not None else 0)
        options = {"tol": tolerance, "max_iterations": max_iterations,
                   "max_seconds": SHARE * self._seconds() if max_seconds is None else max_seconds}
        self.stepper = Stepper(st, self.tree, options, real_time, execution)

    def _seconds(self) -> float:
        from twin import units

        return float(units.to_model_unit("interval", f"{self.interval} {self.model.time_unit}", "s"))

    def _samples(self, scenarios: Any) -> Any:
        """Parameters of each sample: those of the controller, over them what is sampled."""
        import numpy as np

        names = self.statement.check.parameter_names()
        flat = np.tile(np.array(self.statement.p), (len(scenarios), 1))
        for name, values in scenarios.parameters.items():
            if name not in names:
                raise errors.SpecError(f"The scenarios sample '{name}', which is no parameter of {self.statement.check.name}. A "
                                       "controller starts from the estimate of the states. Sample parameters only.")
            flat[:, names.index(name)] = values
        return flat

    @property
    def moved(self) -> tuple[str, ...]:
        """Names of the moved inputs."""
        return tuple(c.place.name for c in self.statement.controls)

    def many(self, estimates: Mapping[str, Any], *, before: Mapping[str, Any] | None = None, threads: int | None = None,
             executor: Any = None, device: str = "cpu") -> NmpcBatch:
        """Solve the problem for many estimates, each from a simulated start.

        Parameters
        ----------
        estimates
            {name: values, one a problem}: all states; disturbances and parameters as in `step`. A number holds for all.
        before
            Moved inputs applied last, likewise.
        threads
            Threads over the engine; as many as there are processors by default.
        executor
            Any `concurrent.futures.Executor`, or a function that makes one, in place of threads.
        device
            "cpu": the engine. "jax": all problems in one array, on a GPU where JAX has one; what does not converge there is
            solved by the engine.

        Returns
        -------
        NmpcBatch
            First inputs by name, statuses, objectives.
        """
        return solve_many(self, estimates, before, threads, executor, device)

    def moment(self, state: NmpcState, estimate: Mapping[str, Any]) -> Moment:
        """What a step from here is about; raises SpecError where the estimate cannot be used."""
        return self.reader.moment(state.time, state.inputs, estimate, {}, {}, {})

    def warm_up(self) -> None:
        """Compile what a step needs and solve once from the initial state of the model."""
        x, state = self.model_start(), self.init()
        self.step(state, x)
        self.stepper.warm_up(self.moment(state, x))

    def model_start(self) -> dict[str, Any]:
        """Initial states of the model by name."""
        flat = self.statement.check.initial(None)
        found: dict[str, Any] = {}
        for name, row in self.statement.check.rows("state").items():
            part = flat[row.where]
            found[name] = list(part) if row.shape else float(part)
        return found

    def init(self, inputs: Mapping[str, float] | None = None, *, time: float = 0.0) -> NmpcState:
        """First state.

        Parameters
        ----------
        inputs
            Moved inputs applied last, as read back. Without them the first change costs nothing and is not limited.
        time
            Time of the first step, in the time unit of the model.
        """
        import numpy as np

        if inputs is None:
            return NmpcState(float(time), None)
        names = [c.place.name for c in self.statement.controls]
        missing = [n for n in names if n not in inputs]
        if missing:
            raise errors.SpecError(f"init was given no value for {', '.join(missing)}. Give all moved inputs, or none.")
        return NmpcState(float(time), np.array([float(inputs[n]) for n in names]))

    @staticmethod
    def forget(state: NmpcState) -> NmpcState:
        """The state without the solver's memory: the next step starts from a simulated guess."""
        return dataclasses.replace(state, warm=None)

    def step(self, state: NmpcState, estimate: Mapping[str, Any], *, targets: Mapping[str, Any] | None = None,
             limits: Mapping[str, Any] | None = None, inputs: Mapping[str, Any] | None = None,
             applied: Mapping[str, float] | None = None, **changes: Any) -> tuple[NmpcState, ControllerInfo]:
        """Inputs for the next interval.

        Parameters
        ----------
        state
            From `init` or the step before.
        estimate
            All states by name; estimated disturbances and parameters as well, which then hold over the horizon.
        targets, limits
            Targets and limits that differ from those of the controller from now on, for this step: numbers, profiles, or one
            number a step. Only limits that the controller has can be moved.
        inputs
            Inputs and disturbances that are not moved: numbers, profiles, or one number a step (a forecast).
        applied
            Moved inputs that were really applied in the last interval, where they differ from those given.

        Returns
        -------
        state, info
            `info.inputs` by name; `info.prediction` with `plot()`; `info.fallback` where the inputs are not those just found.
        """
        begin = clock.perf_counter()
        said: list[str] = []
        try:
            state = self._read_back(state, applied, said)
            moment = self.reader.moment(state.time, state.inputs, estimate, targets or {}, limits or {}, inputs or {})
            found = self.stepper.solve(state.warm, moment, begin)
            said += [*moment.said, *found.said]
        except errors.TwinError as problem:
            found = Outcome(None, None, Status.NOT_CONVERGED, [], None)
            said.append(str(problem))
        except (ArithmeticError, ValueError, TypeError, KeyError, IndexError, OSError) as problem:
            found = Outcome(None, None, Status.NOT_CONVERGED, [], None)
            said.append(f"The step failed: {type(problem).__name__}: {problem}.")
        said += [f"'{name}' is not an argument of a step; it was ignored." for name in changes]
        return self._fallback(state, found.status, said, begin) if found.result is None else self._good(state, found, said, begin)

    def _read_back(self, state: NmpcState, applied: Mapping[str, float] | None, said: list[str]) -> NmpcState:
        import numpy as np

        if not applied:
            return state
        known = [c.place.name for c in self.statement.controls]
        values = np.full(len(known), math.nan) if state.inputs is None else np.array(state.inputs)
        for name, value in applied.items():
            if name not in known or value is None or not math.isfinite(value):
                said.append(f"The applied value of {name} is {value}; it was not used.")
            else:
                values[known.index(name)] = float(value)
        return state if np.isnan(values).any() else dataclasses.replace(state, inputs=values)

    def _good(self, state: NmpcState, found: Outcome, said: list[str], begin: float) -> tuple[NmpcState, ControllerInfo]:
        """State and info after a plan was found."""
        import numpy as np

        controls, result = self.statement.controls, found.result
        path = self.tree.path(self.tree.leaves[0])
        plan = np.clip(result.u[list(path[:-1]), :len(controls)], [c.lower for c in controls], [c.upper for c in controls])
        new = NmpcState(state.time + self.interval, plan[0].copy(), plan, 1, found.memory)
        if found.status is Status.ITERATION_LIMIT and self.real_time:
            said.append(f"One iteration was made; the residual is {result.error:.2g}.")
        prediction = Prediction(self, found.filler.problem, result, state.time)
        info = ControllerInfo(found.status, " ".join(said), self._named(plan[0]), "", prediction, float(result.objective),
                              int(result.iterations), clock.perf_counter() - begin)
        return new, info

    def _fallback(self, state: NmpcState, status: Status, said: list[str], begin: float) -> tuple[NmpcState, ControllerInfo]:
        """The last good plan, or the last inputs."""
        import numpy as np

        controls = self.statement.controls
        low, high = np.array([c.lower for c in controls]), np.array([c.upper for c in controls])
        if state.plan is not None and state.age < len(state.plan):
            u = state.plan[state.age]
            text = f"the plan made {state.age} interval{'s' if state.age > 1 else ''} ago goes on"
        elif state.inputs is not None:
            u, text = np.clip(state.inputs, low, high), "the last inputs are held"
        else:
            nominal = [self.statement.check.rows("input")[c.place.name.partition("[")[0]].signal.nominal for c in controls]
            u, text = np.clip(nominal, low, high), "there is no last input: nominal inputs are given"
        new = NmpcState(state.time + self.interval, np.array(u, dtype=float), state.plan, state.age + 1, None)
        said.append(f"Fallback: {text}.")
        return new, ControllerInfo(status, " ".join(said), self._named(u), text, None, None, 0, clock.perf_counter() - begin)

    def _named(self, u: Any) -> dict[str, float]:
        return {c.place.name: float(v) for c, v in zip(self.statement.controls, u, strict=True)}
