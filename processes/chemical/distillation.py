"""Distillation column A: 41 stages, binary, with a soft sensor for the top purity (Skogestad and Morari)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from twin import errors, jnp

SKOGESTAD = ("Skogestad, Morari, AIChE J. 34 (1988) 1620-1635, doi:10.1002/aic.690341005; Skogestad, Chem. Eng. Res. Des. 75 "
             "(1997) 539-562")
HYDRAULICS = f"{SKOGESTAD} [textbook constants]"
SENSOR = "this work: least squares over 25 steady states of this model, see tests/processes/test_chemical_distillation.py"
TRAYS, FEED_TRAY, SENSOR_TRAY, LOW_TRAY = 39, 19, 32, 7  # tray k, counted from 0 at the bottom, is stage k + 2


def _entering(tray: int) -> tuple[list[float], list[float]]:
    """Share of the feed that enters each tray, and that enters it or one above."""
    return [float(k == tray) for k in range(TRAYS)], [float(k <= tray) for k in range(TRAYS)]


class DistillationColumn(twin.DynamicModel):
    """Column A in LV configuration: reflux and boilup are set, distillate and bottoms hold the levels.

    Stage 1 is the reboiler, stages 2 to 40 are the `trays` (from below), stage 41 is a total condenser. Constant relative
    volatility, constant molar flows, liquid holdup with linear hydraulics. The temperature of a tray is linear in its
    composition; `x_d_sensor` reads the distillate purity off the temperature of stage 34 and the reflux.
    """

    time_unit = "min"
    trays = twin.static(TRAYS, doc="number of trays between reboiler and condenser")

    x = twin.state("-", shape=("trays",), lower=0, upper=1, nominal=0.5, doc="light component in the liquid of a tray")
    m = twin.state("kmol", shape=("trays",), lower=0.05, upper=2, nominal=0.5, doc="liquid on a tray")
    x_b = twin.state("-", lower=0, upper=1, nominal=0.01, doc="light component in the bottoms")
    m_b = twin.state("kmol", lower=0.05, upper=2, nominal=0.5, doc="liquid in the reboiler")
    x_d = twin.state("-", lower=0, upper=1, nominal=0.99, doc="light component in the distillate")
    m_d = twin.state("kmol", lower=0.05, upper=2, nominal=0.5, doc="liquid in the condenser")
    reflux = twin.input("kmol/min", lower=0.5, upper=6, nominal=2.70629, doc="reflux L")
    boilup = twin.input("kmol/min", lower=0.5, upper=6, nominal=3.20629, doc="boilup V; flooding limits it")
    feed = twin.disturbance("kmol/min", lower=0.3, upper=2, nominal=1, doc="feed F")
    z_feed = twin.disturbance("-", lower=0.1, upper=0.9, nominal=0.5, doc="light component in the feed")
    q_feed = twin.disturbance("-", lower=0, upper=1.2, nominal=1, doc="liquid share of the feed")
    distillate = twin.output("kmol/min", lower=0, upper=6, nominal=0.5, doc="distillate D")
    bottoms = twin.output("kmol/min", lower=0, upper=6, nominal=0.5, doc="bottoms B")
    t_top = twin.output("K", lower=330, upper=370, nominal=344, doc="tray of the soft sensor")
    t_bottom = twin.output("K", lower=330, upper=370, nominal=355, doc="tray 7 (stage 9)")
    x_d_sensor = twin.output("-", lower=0, upper=1, nominal=0.99, doc="distillate purity by the soft sensor")

    alpha = twin.parameter(1.5, "-", bounds=(1.01, 20), source=SKOGESTAD, doc="relative volatility")
    m_0 = twin.parameter(0.5, "kmol", bounds=(0.05, 2), source=SKOGESTAD, doc="nominal liquid on every stage")
    tau_l = twin.parameter(0.063, "min", bounds=(1e-3, 10), source=HYDRAULICS, doc="time constant of the liquid on a tray")
    k_level = twin.parameter(10.0, "1/min", bounds=(0.1, 100), source=SKOGESTAD, doc="gain of both level controllers")
    reflux_0 = twin.parameter(2.70629, "kmol/min", bounds=(0.1, 20), source=SKOGESTAD, doc="nominal reflux")
    feed_0 = twin.parameter(1.0, "kmol/min", bounds=(0.1, 20), source=SKOGESTAD, doc="nominal feed, all liquid")
    feed_here = twin.parameter(_entering(FEED_TRAY)[0], "-", bounds=(0, 1), shape=("trays",), source=SKOGESTAD,
                               doc="share of the feed that enters a tray")
    feed_above = twin.parameter(_entering(FEED_TRAY)[1], "-", bounds=(0, 1), shape=("trays",), source=SKOGESTAD,
                                doc="share of the feed that enters a tray or one above")
    t_light = twin.parameter(341.9, "K", bounds=(200, 500), source=SKOGESTAD, doc="boiling point of the light component")
    t_heavy = twin.parameter(357.4, "K", bounds=(200, 500), source=SKOGESTAD, doc="boiling point of the heavy component")
    sensor_offset = twin.parameter(1.5738, "-", source=SENSOR, doc="soft sensor: constant part of the logit of the purity")
    sensor_slope = twin.parameter(1.0382, "-", source=SENSOR, doc="soft sensor: logit of the purity over that of the tray")
    sensor_reflux = twin.parameter(0.1857, "min/kmol", source=SENSOR, doc="soft sensor: logit of the purity over the reflux")

    @classmethod
    def with_feed_on_stage(cls, stage: int, **parameters: Any) -> DistillationColumn:
        """The column with its feed on another stage (2 to 40, reboiler = 1, condenser = 41); column A has 21."""
        if not 2 <= stage <= TRAYS + 1:
            raise errors.out_of_range("stage", stage, "-", 2, TRAYS + 1, "Stage 1 is the reboiler, stage 41 the condenser.")
        here, above = _entering(stage - 2)
        return cls(feed_here=here, feed_above=above, **parameters)

    @twin.term("-", lower=0, upper=1, vanishes_with=("x",), rises_with=("x",))
    def vapor(self, x: Any) -> Any:
        """Light component in the vapor over a liquid; stage efficiency and other deviations belong here."""
        return self.alpha * x / (1 + (self.alpha - 1) * x)

    @twin.term("-", lower=0, upper=1)
    def purity(self, t_top: Any, reflux: Any) -> Any:
        """Distillate purity from a tray temperature and the reflux."""
        share = (self.t_heavy - t_top) / (self.t_heavy - self.t_light)
        logit = self.sensor_offset + self.sensor_reflux * reflux + self.sensor_slope * jnp.log(share / (1 - share))
        return 1 / (1 + jnp.exp(-logit))

    def cell(self, left: Any, own: Any, right: Any, s: Any) -> Mapping[str, Any]:
        """Balances of one tray: liquid from above (right), vapor from below (left)."""
        vapor_feed, liquid_0 = (1 - s.q_feed) * s.feed, self.reflux_0 - self.m_0 / self.tau_l
        v_out = s.boilup + vapor_feed * (1 - own.feed_above + own.feed_here)
        v_in = v_out - vapor_feed * own.feed_here
        l_out = liquid_0 + self.feed_0 * own.feed_above + own.m / self.tau_l
        l_in = liquid_0 + self.feed_0 * (own.feed_above - own.feed_here) + right.m / self.tau_l
        fed = s.feed * own.feed_here
        gained = l_in * (right.x - own.x) + v_in * (self.vapor(left.x) - own.x) - v_out * (self.vapor(own.x) - own.x)
        return {"x": (gained + fed * (s.z_feed - own.x)) / own.m, "m": l_in - l_out + v_in - v_out + fed}

    def ends(self, first: Any, last: Any, s: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """The reboiler below, the condenser above: a holdup that lets the reflux run."""
        return {"x": s.x_b, "m": s.m_b}, {"x": s.x_d, "m": self.m_0 + self.tau_l * (s.reflux - self.reflux_0)}

    def _drawn(self, s: Any) -> tuple[Any, Any]:
        """Distillate and bottoms of the level controllers."""
        product = self.boilup_0() - self.reflux_0
        return product + self.k_level * (s.m_d - self.m_0), self.feed_0 - product + self.k_level * (s.m_b - self.m_0)

    def boilup_0(self) -> Any:
        """Nominal boilup in kmol/min: half of the nominal feed leaves at the top."""
        return self.reflux_0 + 0.5 * self.feed_0

    def rhs(self, s: Any) -> Mapping[str, Any]:
        distillate, bottoms = self._drawn(s)
        v_top = s.boilup + (1 - s.q_feed) * s.feed
        l_bottom = self.reflux_0 + self.feed_0 + (s.m[0] - self.m_0) / self.tau_l
        y_b, y_top = self.vapor(s.x_b), self.vapor(s.x[-1])
        return {
            "x_b": (l_bottom * (s.x[0] - s.x_b) - s.boilup * (y_b - s.x_b)) / s.m_b,
            "m_b": l_bottom - s.boilup - bottoms,
            "x_d": v_top * (y_top - s.x_d) / s.m_d,
            "m_d": v_top - s.reflux - distillate,
        }

    def outputs(self, s: Any) -> Mapping[str, Any]:
        distillate, bottoms = self._drawn(s)
        t_top, t_bottom = (self.t_heavy - (self.t_heavy - self.t_light) * s.x[k] for k in (SENSOR_TRAY, LOW_TRAY))
        return {"distillate": distillate, "bottoms": bottoms, "t_top": t_top, "t_bottom": t_bottom,
                "x_d_sensor": self.purity(t_top, s.reflux)}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """Moles in all, and of the light component."""
        distillate, bottoms = self._drawn(s)
        held = s.m.sum() + s.m_b + s.m_d
        light = (s.x * s.m).sum() + s.x_b * s.m_b + s.x_d * s.m_d
        return {"moles": (held, s.feed - distillate - bottoms),
                "light component": (light, s.feed * s.z_feed - distillate * s.x_d - bottoms * s.x_b)}

    def initial(self) -> Mapping[str, Any]:
        rise = [0.01 + 0.98 * (k + 1) / (TRAYS + 1) for k in range(TRAYS)]
        return {"x": rise, "m": [0.5] * TRAYS, "x_b": 0.01, "m_b": 0.5, "x_d": 0.99, "m_d": 0.5}

    def recipe(self) -> twin.Recipe:
        """The nominal reflux and boilup, for 600 min."""
        return twin.Recipe([twin.Phase(name="operation", inputs={"reflux": 2.706293, "boilup": 3.206293}, until=600.0)])
