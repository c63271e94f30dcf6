"""The nominal CSTR problem of `predictive`, built by hand in CasADi without the redundant variables of do-mpc.

With `augmented` the last inputs are states, which is the structure that FATROP asks for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.problems.predictive import CSTR

STEPS = 20
SCALE_X, SCALE_U = np.array([1.0, 1.0, 100.0, 100.0]), np.array([100.0, 2000.0])
LOW, HIGH = np.array([0.1, 0.1, 50.0, 50.0]), np.array([2.0, 2.0, np.inf, 140.0])
LOW_U, HIGH_U = np.array([5.0, -8500.0]), np.array([100.0, 0.0])


class Program:
    """Variables, bounds and start of the nonlinear program."""

    def __init__(self, casadi: Any, augmented: bool) -> None:
        self.casadi, self.augmented = casadi, augmented
        self.variables: list[Any] = []
        self.low: list[float] = []
        self.high: list[float] = []
        self.start: list[float] = []
        self.rows: list[Any] = []
        self.low_rows: list[float] = []
        self.high_rows: list[float] = []
        self.equality: list[bool] = []
        self._build()

    def variable(self, name: str, low: Any, high: Any, start: Any) -> Any:
        """A new vector variable."""
        made = self.casadi.SX.sym(name, len(low))
        self.variables.append(made)
        self.low += list(low)
        self.high += list(high)
        self.start += list(start)
        return made

    def row(self, value: Any, low: float, high: float) -> None:
        """A new constraint."""
        self.rows.append(value)
        self.low_rows += [low] * value.numel()
        self.high_rows += [high] * value.numel()
        self.equality += [low == high] * value.numel()

    def rhs(self, x: Any, u: Any) -> Any:
        """Rates of scaled states."""
        named = {n: x[k] * SCALE_X[k] for k, n in enumerate(CSTR.initial)}
        held = {n: u[k] * SCALE_U[k] for k, n in enumerate(CSTR.inputs)}
        return self.casadi.vertcat(*CSTR.equations(self.casadi, named, held, CSTR.nominal())) / SCALE_X

    def _build(self) -> None:
        ca, free = self.casadi, [np.inf]
        taus = [0.0, *ca.collocation_points(2, "radau")]
        slopes = np.zeros((3, 3))
        for j in range(3):
            p = np.poly1d([1.0])
            for r in range(3):
                if r != j:
                    p *= np.poly1d([1, -taus[r]]) / (taus[j] - taus[r])
            slopes[j] = np.polyder(p)(np.array(taus))
        x0, before0 = ca.SX.sym("x0", 4), ca.SX.sym("before", 2)
        first = np.array(list(CSTR.initial.values())) / SCALE_X
        cost: Any = 0
        x = self.variable("x0", [-np.inf] * 4, free * 4, first)
        before = self.variable("b0", [-np.inf] * 2, free * 2, [0, 0]) if self.augmented else before0 / SCALE_U
        if not self.augmented:
            self.row(x - x0 / SCALE_X, 0, 0)
        for k in range(STEPS):
            u = self.variable(f"u{k}", LOW_U / SCALE_U, HIGH_U / SCALE_U, np.clip([0, 0], LOW_U / SCALE_U, HIGH_U / SCALE_U))
            slack = self.variable(f"e{k}", [0], free, [0])
            cost += (x[1] - 0.6) ** 2 + 100 * slack + 0.1 * (u[0] - before[0]) ** 2 + 1e-3 * (u[1] - before[1]) ** 2
            inner = (LOW / SCALE_X, HIGH / SCALE_X) if k < STEPS - 1 else (-np.full(4, np.inf), np.full(4, np.inf))
            z = self.variable(f"z{k}", *inner, first)
            if self.augmented:
                end = self.variable(f"y{k}", *inner, first)
                following, held = ca.SX.sym(f"x{k + 1}", 4), ca.SX.sym(f"b{k + 1}", 2)
                self.row(ca.vertcat(following, held) - ca.vertcat(end, u), 0, 0)
                if k == 0:
                    self.row(x - x0 / SCALE_X, 0, 0)
                    self.row(before - before0 / SCALE_U, 0, 0)
            else:
                end = self.variable(f"x{k + 1}", *inner, first)
            points = [x, z, end]
            for r in (1, 2):
                self.row(sum(slopes[j, r] * points[j] for j in range(3)) - CSTR.interval * self.rhs(points[r], u), 0, 0)
            self.row(x[2] * 100 - 140 - slack, -np.inf, 0)
            if self.augmented:
                self.variables += [following, held]
                self.low += [*inner[0], -np.inf, -np.inf]
                self.high += [*inner[1], np.inf, np.inf]
                self.start += [*first, 0, 0]
                x, before = following, held
            else:
                x, before = end, u
        cost += (x[1] - 0.6) ** 2
        self.nlp = {"x": ca.vertcat(*self.variables), "f": cost, "g": ca.vertcat(*self.rows), "p": ca.vertcat(x0, before0)}
        self.first_input = 6 if self.augmented else 4
        lam_x, lam_g = ca.SX.sym("lx", self.nlp["x"].numel()), ca.SX.sym("lg", len(self.low_rows))
        slope = ca.gradient(self.nlp["f"] + ca.dot(lam_g, self.nlp["g"]), self.nlp["x"]) + lam_x
        self.optimality = ca.Function("optimality", [self.nlp["x"], self.nlp["p"], lam_x, lam_g], [slope, self.nlp["g"]])

    def solver(self, kind: str, tolerance: float) -> Any:
        """A solver of CasADi: "ipopt", "fatrop" or "qrsqp"."""
        options: dict[str, Any] = {"print_time": False}
        if kind == "ipopt":
            options |= {"ipopt.print_level": 0, "ipopt.sb": "yes", "ipopt.tol": tolerance}
        elif kind == "fatrop":
            options |= {"structure_detection": "auto", "equality": self.equality, "fatrop": {"print_level": 0, "tol": tolerance}}
        else:
            silent = {"print_iter": False, "print_header": False, "print_info": False}
            options |= {"print_iteration": False, "print_header": False, "tol_pr": tolerance,
                        "tol_du": tolerance, "qpsol_options": silent}
        return self.casadi.nlpsol("solver", kind, self.nlp, options)

    def arguments(self, x: Any, before: Any, warm: Any) -> dict[str, Any]:
        """Arguments of a call; `warm` is the result before, or None."""
        given = {"x0": self.start, "lbx": self.low, "ubx": self.high, "lbg": self.low_rows, "ubg": self.high_rows,
                 "p": np.r_[x, before]}
        return given if warm is None else given | {"x0": warm["x"], "lam_x0": warm["lam_x"], "lam_g0": warm["lam_g"]}

    def residual(self, result: Any, x: Any, before: Any) -> float:
        """Largest violation of the first-order conditions: stationarity, bounds, complementarity."""
        v, lam = np.array(result["x"]).ravel(), np.array(result["lam_x"]).ravel()
        slope, g = (np.array(r).ravel() for r in self.optimality(v, np.r_[x, before], result["lam_x"], result["lam_g"]))
        lam_g, low, high = np.array(result["lam_g"]).ravel(), np.array(self.low), np.array(self.high)
        low_g, high_g = np.array(self.low_rows), np.array(self.high_rows)

        def off(value: Any, lam: Any, low: Any, high: Any) -> float:
            room = np.where(lam > 0, high - value, value - low)
            product = np.abs(lam * np.where((lam != 0) & np.isfinite(room) & (low < high), room, 0.0))
            return float(max(np.max(low - value), np.max(value - high), np.max(product)))

        return max(float(np.max(np.abs(slope))), off(v, lam, low, high), off(g, lam_g, low_g, high_g))
