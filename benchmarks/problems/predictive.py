"""The five control problems of the examples of do-mpc, stated once: for do-mpc with CasADi, and for twinworks.

As do-mpc 5.1 sets them up, states are bounded at nodes 1 to 19 and at the points within intervals 0 to 18; the last interval and
its end are free (its terminal bounds are infinite unless they are set), and so they are in ours.

Source of models, bounds, weights and initial states: do-mpc 5.1, examples CSTR, batch_reactor and industrial_poly (Fiedler et
al., Control Eng. Pract. 140 (2023) 105676, doi:10.1016/j.conengprac.2023.105676).
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping
from typing import Any

import optimizers
import twin
from processes.chemical import Polymerization, VanDeVusse


@dataclasses.dataclass(frozen=True)
class Case:
    """One control problem.

    Attributes
    ----------
    equations
        equations(casadi, x, u, p) -> list of derivatives, each argument by name.
    initial, interval, elements
        Initial states, control interval in h, collocation elements of an interval.
    goal
        ("track", state, target) or ("maximize", state): counted at all nodes.
    change
        Input -> (weight, scale): the cost is weight (change / scale)^2.
    bounds, inputs
        Hard bounds of states and inputs; None where there is none.
    soft
        (state, upper bound, price) or None.
    scaling
        Scales of states and inputs in do-mpc.
    uncertain
        Parameter -> its values, the nominal one first.
    model, ours
        The twinworks model, and its names for states, inputs and uncertain parameters (name, nominal value).
    """

    name: str
    equations: Callable[..., list[Any]]
    initial: Mapping[str, float]
    interval: float
    elements: int
    goal: tuple[Any, ...]
    change: Mapping[str, tuple[float, float]]
    bounds: Mapping[str, tuple[float | None, float | None]]
    inputs: Mapping[str, tuple[float, float]]
    soft: tuple[str, float, float] | None
    scaling: Mapping[str, float]
    uncertain: Mapping[str, tuple[float, ...]]
    model: Callable[[], Any]
    ours: Mapping[str, Any]

    def nominal(self) -> dict[str, float]:
        """Parameters as in the plant."""
        return {n: v[0] for n, v in self.uncertain.items()}


def cstr_equations(casadi: Any, x: Any, u: Any, p: Any) -> list[Any]:
    """Van de Vusse reactor; alpha and beta scale an activation energy and a frequency factor."""
    kelvin = x["T_R"] + 273.15
    k_ab = p["beta"] * 1.287e12 * casadi.exp(-9758.3 / kelvin)
    k_bc = 1.287e12 * casadi.exp(-9758.3 / kelvin)
    k_ad = 9.043e9 * casadi.exp(-p["alpha"] * 8560.0 / kelvin)
    a_to_b, b_to_c, a_to_d = k_ab * x["C_a"], k_bc * x["C_b"], k_ad * x["C_a"] ** 2
    capacity, wall = 0.9342 * 3.01, 4032.0 * 0.215 * (x["T_R"] - x["T_K"])
    return [u["F"] * (5.1 - x["C_a"]) - a_to_b - a_to_d, -u["F"] * x["C_b"] + a_to_b - b_to_c,
            -(4.2 * a_to_b - 11.0 * b_to_c - 41.85 * a_to_d) / capacity + u["F"] * (130.0 - x["T_R"]) - wall / (capacity * 10.01),
            (u["Q_dot"] + wall) / 10.0]


def batch_equations(casadi: Any, x: Any, u: Any, p: Any) -> list[Any]:
    """Fed-batch penicillin with substrate inhibition."""
    growth, dilution = 0.02 * x["S_s"] / (0.05 + x["S_s"] + x["S_s"] ** 2 / 5.0) * x["X_s"], u["inp"] / x["V_s"]
    return [growth - dilution * x["X_s"], -growth / p["Y_x"] - 0.004 * x["X_s"] / 1.2 + dilution * (p["S_in"] - x["S_s"]),
            0.004 * x["X_s"] - dilution * x["P_s"], u["inp"]]


def poly_equations(casadi: Any, x: Any, u: Any, p: Any) -> list[Any]:
    """Semi-batch polymerization."""
    water, monomer, polymer = x["m_W"], x["m_A"], x["m_P"]
    mass, done = water + monomer + polymer, polymer / (monomer + polymer)

    def rate(kelvin: Any) -> Any:
        return p["k_0"] * casadi.exp(-8500.0 / (8.314 * kelvin)) * (4.0 * (1 - done) + 32.0 * done)

    inside, outside = rate(x["T_R"]) * (monomer - monomer * 200.0 / mass), rate(x["T_EK"]) * (monomer / mass) * 200.0
    wall = 65.0 * (water / mass * 17280.0 + monomer / mass * 3600.0 + polymer / mass * 360.0)
    to_wall, to_jacket = wall * (x["T_R"] - x["T_S"]), wall * (x["T_S"] - x["Tout_M"])
    loop, cooler = 20000.0 * 5.0 * (x["T_R"] - x["T_EK"]), 3.6e6 * (x["T_EK"] - x["Tout_AWT"])
    feed = u["m_dot_f"]
    d_water, d_monomer, d_polymer = 0.333 * feed, 0.667 * feed - inside - outside, inside + outside
    heating = (3.0 * feed * (298.15 - x["T_R"]) - to_wall - loop + p["delH_R"] * inside) / (5.0 * mass)
    d_mass = d_water + d_monomer + d_polymer
    return [d_water, d_monomer, d_polymer, heating, (to_wall - to_jacket) / (0.47 * 39000.0),
            (300000.0 * 4.2 * (u["T_in_M"] - x["Tout_M"]) + to_jacket) / (4.2 * 5000.0),
            (loop - cooler + p["delH_R"] * outside) / (5.0 * 200.0),
            (100000.0 * 4.2 * (u["T_in_EK"] - x["Tout_AWT"]) + cooler) / (4.2 * 1000.0), feed,
            p["delH_R"] / (5.0 * mass) * d_monomer - d_mass * (monomer * p["delH_R"] / (5.0 * mass**2)) + heating]


class BatchBioreactor(twin.DynamicModel):
    """The fed batch of `batch_equations`."""

    time_unit = "h"
    biomass = twin.state("g/l", lower=-1, upper=100, nominal=1, doc="biomass")
    substrate = twin.state("g/l", lower=-1, upper=100, nominal=1, doc="substrate")
    product = twin.state("g/l", lower=-1, upper=100, nominal=1, doc="product")
    volume = twin.state("l", lower=0, upper=1000, nominal=120, doc="volume")
    feed = twin.input("l/h", lower=0, upper=0.2, nominal=0.1, doc="feed")
    y_x = twin.parameter(0.5, "g/g", bounds=(0, 1), source="do-mpc, batch_reactor", doc="yield")
    s_in = twin.parameter(200.0, "g/l", bounds=(0, 500), source="do-mpc, batch_reactor", doc="substrate in the feed")

    def rhs(self, s: Any) -> Mapping[str, Any]:
        growth = 0.02 * s.substrate / (0.05 + s.substrate + s.substrate**2 / 5.0) * s.biomass
        dilution = s.feed / s.volume
        return {"biomass": growth - dilution * s.biomass,
                "substrate": -growth / self.y_x - 0.004 * s.biomass / 1.2 + dilution * (self.s_in - s.substrate),
                "product": 0.004 * s.biomass - dilution * s.product, "volume": s.feed}

    def initial(self) -> Mapping[str, Any]:
        return {"biomass": 1.0, "substrate": 0.5, "product": 0.0, "volume": 120.0}


CSTR = Case(
    "cstr", cstr_equations, {"C_a": 0.8, "C_b": 0.5, "T_R": 134.14, "T_K": 130.0}, 0.005, 1, ("track", "C_b", 0.6),
    {"F": (0.1, 100.0), "Q_dot": (1e-3, 2000.0)},
    {"C_a": (0.1, 2), "C_b": (0.1, 2), "T_R": (50, None), "T_K": (50, 140)}, {"F": (5, 100), "Q_dot": (-8500, 0)},
    ("T_R", 140.0, 100.0), {"T_R": 100, "T_K": 100, "Q_dot": 2000, "F": 100},
    {"alpha": (1.0, 1.05, 0.95), "beta": (1.0, 1.1, 0.9)}, VanDeVusse.do_mpc,
    {"C_a": "c_a", "C_b": "c_b", "T_R": "t_reactor", "T_K": "t_jacket", "F": "flow", "Q_dot": "duty",
     "alpha": ("e_3", 8560.0), "beta": ("k_10", 1.287e12)})

BATCH = Case(
    "batch", batch_equations, {"X_s": 1.0, "S_s": 0.5, "P_s": 0.0, "V_s": 120.0}, 1.0, 2, ("maximize", "P_s"),
    {"inp": (1.0, 1.0)},
    {"X_s": (0, 3.7), "S_s": (-0.01, None), "P_s": (0, 3.0), "V_s": (0, None)}, {"inp": (0, 0.2)}, None, {},
    {"Y_x": (0.5, 0.4, 0.3), "S_in": (200.0, 220.0, 180.0)}, BatchBioreactor,
    {"X_s": "biomass", "S_s": "substrate", "P_s": "product", "V_s": "volume", "inp": "feed", "Y_x": ("y_x", 1.0),
     "S_in": ("s_in", 1.0)})

POLY = Case(
    "poly", poly_equations,
    {"m_W": 10000.0, "m_A": 853.0, "m_P": 26.5, "T_R": 363.15, "T_S": 363.15, "Tout_M": 363.15, "T_EK": 308.15,
     "Tout_AWT": 308.15, "accum_monom": 300.0, "T_adiab": 363.15 + 853.0 * 950.0 / ((10000.0 + 853.0 + 26.5) * 5.0)},
    50.0 / 3600.0, 1, ("maximize", "m_P"),
    {"m_dot_f": (0.002, 100.0), "T_in_M": (0.004, 1.0), "T_in_EK": (0.002, 1.0)},
    {"m_W": (0, None), "m_A": (0, None), "m_P": (26.0, None), "T_R": (361.15, 365.15), "T_S": (298, 400), "Tout_M": (298, 400),
     "T_EK": (288, 400), "Tout_AWT": (288, 400), "accum_monom": (0, 30000.0), "T_adiab": (None, 382.15)},
    {"m_dot_f": (0, 3e4), "T_in_M": (333.15, 373.15), "T_in_EK": (333.15, 373.15)}, ("T_R", 365.15, 1e4),
    {"m_W": 10, "m_A": 10, "m_P": 10, "accum_monom": 10, "m_dot_f": 100},
    {"delH_R": (950.0, 950 * 1.3, 950 * 0.7), "k_0": (7.0, 7 * 1.3, 7 * 0.7)}, Polymerization,
    {"m_W": "water", "m_A": "monomer", "m_P": "polymer", "T_R": "t_reactor", "T_S": "t_wall", "Tout_M": "t_jacket",
     "T_EK": "t_loop", "Tout_AWT": "t_loop_water", "accum_monom": "monomer_fed", "T_adiab": "t_adiabatic", "m_dot_f": "feed",
     "T_in_M": "t_jacket_in", "T_in_EK": "t_loop_in", "delH_R": ("heat", 1.0), "k_0": ("k_0", 1.0)})


def soft_of(case: Case, robust: bool) -> tuple[str, float, float] | None:
    """The soft limit: the robust polymerization of do-mpc has none."""
    return None if robust and case is POLY else case.soft


def controller(case: Case, robust: bool, **options: Any) -> Any:
    """The problem in twinworks."""
    named, model = case.ours, case.model()
    limits: dict[str, Any] = {named[n]: [pair] for n, pair in case.bounds.items()}
    soft = soft_of(case, robust)
    if soft is not None:
        limits[named[soft[0]]].append(twin.soft(None, soft[1], price=soft[2]))
    goal: dict[str, Any] = {"track": {named[case.goal[1]]: (case.goal[2], 1.0)}} if case.goal[0] == "track" \
        else {"maximize": named[case.goal[1]]}
    if robust:
        levels = [(named[n][0], [v * named[n][1] for v in values]) for n, values in case.uncertain.items()]
        rows = list(itertools.product(*(values for _, values in levels)))
        options["scenarios"] = twin.Scenarios(model, {n: [row[k] for row in rows] for k, (n, _) in enumerate(levels)})
    return optimizers.Nmpc(model, moves={named[n]: pair for n, pair in case.inputs.items()}, interval=case.interval, horizon=20,
                           change={named[n]: w / s**2 for n, (w, s) in case.change.items()}, limits=limits, degree=2,
                           elements=case.elements, last_interval=False, **goal, **options)


def do_mpc_controller(do_mpc: Any, casadi: Any, case: Case, robust: bool, options: Mapping[str, Any]) -> tuple[Any, Any]:
    """The problem in do-mpc: its model and controller, not yet set up."""
    model = do_mpc.model.Model("continuous", "SX")
    x = {n: model.set_variable("_x", n) for n in case.initial}
    u = {n: model.set_variable("_u", n) for n in case.inputs}
    p = {n: model.set_variable("_p", n) for n in case.uncertain}
    for name, rate in zip(case.initial, case.equations(casadi, x, u, p), strict=True):
        model.set_rhs(name, rate)
    model.setup()
    control = do_mpc.controller.MPC(model)
    s = control.settings
    s.n_horizon, s.n_robust, s.open_loop, s.t_step = 20, int(robust), 0, case.interval
    s.state_discretization, s.collocation_type, s.collocation_deg, s.collocation_ni = "collocation", "radau", 2, case.elements
    s.store_full_solution = True
    s.supress_ipopt_output()
    for name, value in case.scaling.items():
        control.scaling["_x" if name in case.initial else "_u", name] = value
    state = model.x[case.goal[1]]
    cost = (state - case.goal[2]) ** 2 if case.goal[0] == "track" else -state
    control.set_objective(mterm=cost, lterm=cost)
    control.set_rterm(**{n: w for n, (w, _) in case.change.items()})
    for kind, table in (("_x", case.bounds), ("_u", case.inputs)):
        for name, (low, high) in table.items():
            if low is not None:
                control.bounds["lower", kind, name] = low
            if high is not None:
                control.bounds["upper", kind, name] = high
    soft = soft_of(case, robust)
    if soft is not None:
        control.set_nl_cons("soft", model.x[soft[0]], ub=soft[1], soft_constraint=True, penalty_term_cons=soft[2])
    import numpy as np

    control.set_uncertainty_values(**{n: np.array(v if robust else v[:1]) for n, v in case.uncertain.items()})
    control.settings.nlpsol_opts.update(options)
    return model, control


def plant(casadi: Any, case: Case) -> Callable[[Any, Any], Any]:
    """plant(x, u) -> states one interval later, by CVODES at 1e-10 with the nominal parameters."""
    import numpy as np

    x, u = casadi.SX.sym("x", len(case.initial)), casadi.SX.sym("u", len(case.inputs))
    named_x = {n: x[k] for k, n in enumerate(case.initial)}
    named_u = {n: u[k] for k, n in enumerate(case.inputs)}
    rates = casadi.vertcat(*case.equations(casadi, named_x, named_u, case.nominal()))
    options = {"abstol": 1e-10, "reltol": 1e-10}
    step = casadi.integrator("plant", "cvodes", {"x": x, "p": u, "ode": rates}, 0, case.interval, options)
    return lambda at, held: np.array(step(x0=at, p=held)["xf"]).ravel()
