"""A model as pure JAX functions: rates, outputs and whole simulations, for gradients, batches and GPUs."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from twin import errors, module
from twin.lazy import jnp
from twin.status import Status

NEWTON = 12  # iterations that make the algebraics consistent; quadratic convergence needs far fewer


def as_jax(model: Any) -> JaxModel:
    """The model as pure JAX functions of flat vectors.

    Parameters
    ----------
    model
        A `DynamicModel` or `SteadyModel`.

    Raises
    ------
    SpecError
        Where the model is known only as lowered programs (a stored model without its class).

    Examples
    --------
    >>> import twin
    >>> from processes.chemical import ExothermicCstr
    >>> plant = twin.as_jax(ExothermicCstr())
    >>> x = plant.simulate(times=[0.0, 1.0, 2.0], inputs={"t_coolant": 300.0}).x
    >>> x.shape
    (3, 2)
    """
    if not hasattr(model, "derivative") and not hasattr(model, "residual"):
        raise errors.SpecError(f"{getattr(model, 'name', type(model).__name__)} has no JAX equations. Give the "
                               "class: "
                               "twin.load(path, model=Class).")
    return JaxModel(model)


@dataclasses.dataclass(frozen=True)
class JaxTrajectory:
    """Values at the output times: `x`, `z`, `y` with shapes (times, n); `complete` is False where the steps ran out."""

    times: Any
    x: Any
    z: Any
    y: Any
    complete: Any


@dataclasses.dataclass(frozen=True, eq=False)
class JaxModel:
    """Pure functions of one model.

    All vectors are flat, in the units of the model, ordered as `model.layout(role)` and `model.parameter_names()`.
    Called with ordinary arrays the functions compute in float64 by themselves. Inside your own `jax.jit`, `jax.grad` or
    `jax.vmap` open `with jax.enable_x64(True):` around it.
    """

    model: Any

    @functools.cached_property
    def parameters(self) -> Any:
        """The parameter vector, numpy, shape (n_p,)."""
        import numpy as np

        return np.asarray(self.model.parameter_vector(), dtype=float)

    @functools.cached_property
    def parameter_names(self) -> tuple[str, ...]:
        """Names of the entries of `parameters`."""
        return tuple(self.model.parameter_names())

    def nominal(self, role: str) -> Any:
        """Nominal values of a role, numpy, shape (n,)."""
        import numpy as np

        flat = np.zeros(self.model.size(role))
        for r in self.model.layout(role):
            flat[r.where] = r.signal.nominal
        return flat

    @functools.cached_property
    def initial(self) -> Any:
        """Initial states, numpy, shape (n_x,)."""
        return self.vector("state", self.model.initial(), "initial")

    def vector(self, role: str, values: Any, what: str = "values") -> Any:
        """Values by name as a flat numpy vector, the others nominal; arrays pass through."""
        if not isinstance(values, Mapping):
            return values
        flat, rows = self.nominal(role), {r.signal.name: r for r in self.model.layout(role)}
        for name, value in values.items():
            if name not in rows:
                raise errors.unknown(role, name, f"{type(self.model).__name__}.{what}", rows)
            flat[rows[name].where] = value
        return flat

    def rhs(self, t: Any, x: Any, z: Any = None, u: Any = None, d: Any = None, p: Any = None) -> Any:
        """Time derivatives of the states, shape (n_x,)."""
        return self._call("_rhs", t, x, z, u, d, p)

    def residual(self, t: Any, x: Any, z: Any = None, u: Any = None, d: Any = None, p: Any = None) -> Any:
        """Residuals of the algebraic equations, shape (n_z,)."""
        return self._call("_residual", t, x, z, u, d, p)

    def outputs(self, t: Any, x: Any, z: Any = None, u: Any = None, d: Any = None, p: Any = None) -> Any:
        """Outputs, shape (n_y,)."""
        return self._call("_outputs", t, x, z, u, d, p)

    def simulate(self, x0: Any = None, p: Any = None, *, times: Any, inputs: Any = None, disturbances: Any = None,
                 rtol: float = 1e-6, atol: Any = None, max_steps: int = 1000) -> JaxTrajectory:
        """Simulate with adaptive steps; differentiable in `x0`, `p`, `inputs`, `disturbances` in both modes.

        Parameters
        ----------
        x0, p
            Initial states, shape (n_x,) or by name, and parameters, shape (n_p,); those of the model without.
        times
            Output times, shape (k,), increasing; the first is the start.
        inputs, disturbances
            By name or as arrays: shape (n,) for constants, (k - 1, n) for one row an interval between output times.
            Nominal values without.
        rtol, atol
            Tolerances; `atol` defaults to `rtol` / 1000 times the nominal values.
        max_steps
            Steps for the whole span, a fixed amount of memory. Inside a transformation, where nothing can be raised,
            the values are NaN and `complete` is False where they did not suffice.

        Raises
        ------
        SpecError
            Where names or shapes are wrong, or 64 bit are off inside your own transformation.
        ConvergenceError
            Where the end was not reached.
        """
        import numpy as np

        x0 = self.initial if x0 is None else self.vector("state", x0, "x0")
        u = self.nominal("input") if inputs is None else self.vector("input", inputs, "inputs")
        d = self.nominal("disturbance") if disturbances is None else self.vector("disturbance", disturbances)
        p = self.parameters if p is None else p
        if atol is None:
            atol = rtol * 1e-3 * np.concatenate([self.nominal("state"), self.nominal("algebraic")])
        result = JaxTrajectory(*self._call("_simulate", x0, u, d, p, times, rtol, atol, static=max_steps))
        if isinstance(result.complete, np.ndarray) and not result.complete:
            raise errors.ConvergenceError(f"{type(self.model).__name__} was not simulated to its end in "
                                          f"{max_steps} steps. "
                                          "Raise max_steps, loosen rtol, or check the initial values.",
                                          status=Status.STEP_LIMIT)
        return result

    def ode_term(self, u: Any = None, d: Any = None) -> Any:
        """A `diffrax.ODETerm` of the rates, with the parameter vector as `args` (models without algebraics)."""
        try:
            import diffrax
        except ImportError:
            raise errors.MissingExtraError("ode_term needs diffrax, which is not installed. "
                                           "Run: pip install 'twinworks[jax-ml]'.", extra="jax-ml") from None
        if self.model.size("algebraic"):
            raise errors.SpecError(f"{type(self.model).__name__} has algebraic variables, which diffrax does not "
                                   "solve. Use simulate.")
        return diffrax.ODETerm(lambda t, x, p: self.rhs(t, x, None, u, d, p))

    def _call(self, name: str, *args: Any, static: Any = None) -> Any:
        import jax

        module.register()
        tracing = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree_util.tree_leaves(args))
        if tracing:
            if not jnp.zeros(()).dtype == "float64":
                raise errors.SpecError(f"{type(self.model).__name__} was traced with 32 bit. Process models need 64: "
                                       "open `with jax.enable_x64(True):` around your jit, grad or vmap.")
            return self._compiled(name)(*args, **({} if static is None else {"static": static}))
        import numpy as np

        with jax.enable_x64(True):
            args = tuple(None if a is None else np.asarray(a, dtype=float) for a in args)
            out = self._compiled(name)(*args, **({} if static is None else {"static": static}))
            return jax.tree_util.tree_map(np.asarray, out)

    @functools.cached_property
    def _programs(self) -> dict[str, Any]:
        return {}

    def _compiled(self, name: str) -> Any:
        import jax

        if name not in self._programs:
            static = ("static",) if name == "_simulate" else ()
            self._programs[name] = jax.jit(getattr(self, name), static_argnames=static)
        return self._programs[name]

    def _filled(self, x: Any, z: Any, u: Any, d: Any, p: Any) -> tuple[Any, ...]:
        defaults = (None, "algebraic", "input", "disturbance")
        x, z, u, d = (jnp.asarray(self.nominal(role) if v is None and role else v)
                      for v, role in zip((x, z, u, d), defaults, strict=True))
        return x, z, u, d, self.model.with_parameter_vector(jnp.asarray(self.parameters if p is None else p))

    def _rhs(self, t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        x, z, u, d, model = self._filled(x, z, u, d, p)
        return model.derivative(t, x, z, u, d)[0]

    def _residual(self, t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        x, z, u, d, model = self._filled(x, z, u, d, p)
        if hasattr(model, "derivative"):
            return model.derivative(t, x, z, u, d)[1]
        values = model.values(t, algebraic=z, input=u, disturbance=d)
        return model.pack("algebraic", model.residual(values), "residual")

    def _outputs(self, t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        x, z, u, d, model = self._filled(x, z, u, d, p)
        if hasattr(model, "output_vector"):
            return model.output_vector(t, x, z, u, d)
        return model.pack("output", model.outputs(model.values(t, algebraic=z, input=u, disturbance=d)), "outputs")

    def _simulate(self, x0: Any, u: Any, d: Any, p: Any, times: Any, rtol: Any, atol: Any, *, static: int) -> Any:
        import jax

        from twin.simulation import jax_rosenbrock as method

        times = jnp.asarray(times)
        if times.ndim != 1 or times.shape[0] < 2:
            raise errors.SpecError(f"times has the shape {times.shape}. Expected at least two output times.")
        k = times.shape[0] - 1
        u, d = (self._rows(role, jnp.asarray(v), k) for role, v in (("input", u), ("disturbance", d)))
        x0, p = jnp.asarray(x0), jnp.asarray(p)
        n, m = self.model.size("state"), self.model.size("algebraic")
        if x0.shape != (n,) or p.shape != self.parameters.shape:
            raise errors.SpecError(f"x0 has the shape {x0.shape} and p {p.shape}. Expected ({n},) and "
                                   f"{self.parameters.shape}. Map batches with jax.vmap.")
        model = self.model.with_parameter_vector(p)
        mass = jnp.concatenate([jnp.ones(n), jnp.zeros(m)])
        guess = jnp.concatenate([x0, jnp.asarray(self.nominal("algebraic"))])
        stop = jax.lax.stop_gradient
        fixed = self.model.with_parameter_vector(stop(p))
        chosen = method.plan(*_equations(fixed, stop(u), stop(d)), mass, stop(guess),
                             times, rtol, jnp.broadcast_to(atol, (n + m,)), static)
        rows = method.follow(*_equations(model, u, d), mass, guess, chosen)
        inside = jnp.minimum(jnp.arange(k + 1), k - 1)
        y = jax.vmap(model.output_vector)(times, rows[:, :n], rows[:, n:], u[inside], d[inside])
        return times, rows[:, :n], rows[:, n:], y, chosen.complete

    def _rows(self, role: str, values: Any, intervals: int) -> Any:
        n = self.model.size(role)
        if values.shape not in ((n,), (intervals, n)):
            raise errors.SpecError(f"The {role}s have the shape {values.shape}. Expected ({n},) or ({intervals}, "
                                   f"{n}): "
                                   "one row an interval between output times.")
        return jnp.broadcast_to(values, (intervals, n))


def _equations(model: Any, u: Any, d: Any) -> tuple[Any, Any]:
    """The flat equations with one row of inputs an interval, and what makes the algebraics satisfy them."""
    import jax

    from twin.simulation.jax_rosenbrock import inverse

    n, m = model.size("state"), model.size("algebraic")

    def function(t: Any, y: Any, i: Any) -> Any:
        return jnp.concatenate(model.derivative(t, y[:n], y[n:], u[i], d[i]))

    def newton(t: Any, y: Any, i: Any) -> Any:
        slope = jax.jacfwd(lambda z: function(t, jnp.concatenate([y[:n], z]), i)[n:])(y[n:])
        return y.at[n:].add(-inverse(slope) @ function(t, y, i)[n:])

    def consistent(t: Any, y: Any, i: Any) -> Any:
        if not m:
            return y
        solved = jax.lax.fori_loop(0, NEWTON, lambda _, v: newton(t, v, i), jax.lax.stop_gradient(y))
        # one differentiated step at the solution carries the exact derivative of the implicit function
        return newton(t, jnp.concatenate([y[:n], jax.lax.stop_gradient(solved[n:])]), i)

    return function, consistent
