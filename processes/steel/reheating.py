"""Reheating furnace: slabs on a walking beam through fired zones, conduction over the thickness, and the fuel of each zone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from twin import jnp, smooth

STEEL = "[textbook] low-carbon steel; 802 kJ/kg from 20 to 1200 degC"
LAYOUT = "reference furnace of this work: four zones, walking beam"
SIZE = "[textbook] order of size"
GAS = "[textbook] natural gas, 35.9 MJ/Nm3"
SIGMA = 5.670374419e-8  # W/(m2 K4)
FIRST = 20.0  # degC: where enthalpy counts from


class ReheatingFurnace(twin.DynamicModel):
    """Slabs of several kinds, mixed in one furnace, on their way from charging to discharging.

    Set points of the zones and the residence time are parameters: they hold for the whole way. Each kind has its thickness,
    charging temperature and share of the throughput; all see the same zones. Heat goes through both faces by radiation from the
    zone and by convection; skids shade the lower face evenly (no skid marks, no scale). `zone_fuel` turns the heat that all kinds
    take into the fuel of each zone.
    """

    time_unit = "min"

    cells = twin.static(16, doc="layers over the thickness")
    slabs = twin.static(2, doc="kinds of slabs")
    zones = twin.static(4, doc="number of zones")

    temperature = twin.state("degC", shape=("cells", "slabs"), lower=-20, upper=1500, nominal=800, doc="layers, top first")
    zone_at_slab = twin.output("degC", lower=0, upper=1500, nominal=1100, doc="zone temperature that the slab sees")
    mean_temperature = twin.output("degC", shape=("slabs",), lower=-20, upper=1500, nominal=1000, doc="mean over the thickness")
    top_temperature = twin.output("degC", shape=("slabs",), lower=-20, upper=1500, nominal=1000, doc="upper face")
    core_temperature = twin.output("degC", shape=("slabs",), lower=-20, upper=1500, nominal=1000, doc="half thickness")
    probe_face = twin.output("degC", lower=-20, upper=1500, nominal=1000, doc="upper face of kind 1: an instrumented slab")
    probe_core = twin.output("degC", lower=-20, upper=1500, nominal=1000, doc="core of kind 1: an instrumented slab")
    uptake = twin.output("MJ/t", lower=-100, upper=2000, nominal=500, doc="heat taken since charging")

    zone_temperature = twin.parameter((950.0, 1150.0, 1270.0, 1240.0), "degC", shape=("zones",), bounds=(200, 1450),
                                      source=LAYOUT, doc="set point of each zone, charging end first")
    zone_end = twin.parameter((0.25, 0.5, 0.8, 1.0), "-", shape=("zones",), bounds=(0, 1), source=LAYOUT,
                              doc="end of each zone as a share of the length")
    residence = twin.parameter(180.0, "min", bounds=(20, 1000), source=LAYOUT, doc="time from charging to discharging")
    thickness = twin.parameter((0.22, 0.25), "m", shape=("slabs",), bounds=(0.02, 0.5), source=LAYOUT, doc="of each kind")
    charged = twin.parameter((20.0, 20.0), "degC", shape=("slabs",), bounds=(-20, 1000), source=LAYOUT, doc="of each kind")
    share = twin.parameter((0.6, 0.4), "-", shape=("slabs",), bounds=(0, 1), source=LAYOUT, doc="of the mass, of each kind")
    throughput = twin.parameter(200.0, "t/h", bounds=(1, 1000), source=LAYOUT, doc="at the residence time of 180 min")
    emission = twin.parameter((0.55, 0.6, 0.65, 0.65), "-", shape=("zones",), bounds=(0.05, 1), source=SIZE,
                              doc="effective emissivity between zone and slab, in each zone")
    lower_face = twin.parameter(0.85, "-", bounds=(0, 1), source=SIZE, doc="heat to the lower face over that to the upper")
    convection = twin.parameter(15.0, "W/(m**2 K)", bounds=(0, 200), source=SIZE, doc="at both faces")
    density = twin.parameter(7750.0, "kg/m**3", bounds=(7000, 8200), source=STEEL, doc="of the slabs")
    c_base = twin.parameter(450.0, "J/(kg K)", bounds=(100, 1000), source=STEEL, doc="heat capacity at 0 degC")
    c_slope = twin.parameter(0.28, "J/(kg K**2)", bounds=(0, 2), source=STEEL, doc="rise of the heat capacity")
    c_peak = twin.parameter(695.0, "J/(kg K)", bounds=(0, 5000), source=STEEL, doc="peak of the heat capacity")
    t_peak = twin.parameter(750.0, "degC", bounds=(600, 900), source=STEEL, doc="where the peak is")
    w_peak = twin.parameter(50.0, "K", bounds=(5, 200), source=STEEL, doc="width of the peak")
    k_cold = twin.parameter(52.0, "W/(m K)", bounds=(5, 100), source=STEEL, doc="conductivity, cold")
    k_hot = twin.parameter(28.0, "W/(m K)", bounds=(5, 100), source=STEEL, doc="conductivity, hot")
    heating_value = twin.parameter(35.9, "MJ/m**3", bounds=(1, 100), source=GAS, doc="of the fuel, a normal cubic meter")
    air_ratio = twin.parameter(10.5, "-", bounds=(1, 30), source=GAS, doc="air over fuel, 10 % excess, by volume")
    air_temperature = twin.parameter(400.0, "degC", bounds=(0, 700), source=LAYOUT, doc="preheated combustion air")
    c_air = twin.parameter(1.32e-3, "MJ/(m**3 K)", bounds=(1e-3, 2e-3), source=GAS, doc="heat capacity of air")
    c_flue = twin.parameter(1.55e-3, "MJ/(m**3 K)", bounds=(1e-3, 2e-3), source=GAS, doc="heat capacity of flue gas")
    wall_loss = twin.parameter((0.9, 1.3, 1.6, 1.1), "MW", shape=("zones",), bounds=(0, 20), source=SIZE,
                               doc="walls, doors and skid cooling with zones at `wall_at`")
    wall_at = twin.parameter((950.0, 1150.0, 1270.0, 1240.0), "degC", shape=("zones",), bounds=(200, 1450), source=LAYOUT,
                             doc="zone temperatures at which the wall losses hold; they are in proportion to zone - 20 degC")

    def capacity(self, t: Any) -> Any:
        """Heat capacity in J/(kg K) at a temperature in degC."""
        bump = jnp.tanh((t - self.t_peak) / self.w_peak)
        return self.c_base + self.c_slope * t + self.c_peak * (1.0 - bump * bump)

    def enthalpy(self, t: Any) -> Any:
        """Enthalpy in J/kg at a temperature in degC, from 20 degC."""
        def from_zero(v: Any) -> Any:
            peak = self.c_peak * self.w_peak * jnp.tanh((v - self.t_peak) / self.w_peak)
            return v * (self.c_base + 0.5 * self.c_slope * v) + peak

        return from_zero(t) - from_zero(FIRST)

    def conductivity(self, t: Any) -> Any:
        """Conductivity in W/(m K) at a temperature in degC."""
        return self.k_hot + (self.k_cold - self.k_hot) * (1.0 - smooth.step(t - 450.0, 250.0))

    def along(self, values: Any, way: Any) -> Any:
        """A quantity with one value a zone, at a share of the length."""
        found = values[0]
        for k in range(1, self.zones):
            found = found + (values[k] - values[k - 1]) * smooth.step(way - self.zone_end[k - 1], 0.01)
        return found

    @twin.term("-", lower=0, upper=1)
    def emissivity(self, way: Any) -> Any:
        """Effective emissivity at a share of the length: what a learned correction changes."""
        return self.along(self.emission, way)

    @twin.term("W/m**2", lower=-1e6, upper=1e6)
    def face_flux(self, zone: Any, face: Any, emissivity: Any) -> Any:
        """Heat flux from a zone into a face, both in degC."""
        radiation = emissivity * SIGMA * ((zone + 273.15) ** 4 - (face + 273.15) ** 4)
        return radiation + self.convection * (zone - face)

    def _face(self, zone: Any, cell: Any, k: Any, half: Any, emissivity: Any) -> tuple[Any, Any]:
        """Temperature of a face and flux into it."""
        face = cell
        for _ in range(3):  # fixed point for the face itself: contracts by a few percent
            face = cell + self.face_flux(zone, face, emissivity) * half / k
        return face, k / half * (face - cell)

    def _faces(self, s: Any) -> tuple[Any, Any, Any, Any]:
        """Upper face, flux into it, flux into the lower face, and conductivities."""
        way = s.time / self.residence
        zone, e = self.along(self.zone_temperature, way), self.emissivity(way)
        half = 0.5 * self.thickness / self.cells
        k = self.conductivity(s.temperature)
        top, into = self._face(zone, s.temperature[0], k[0], half, e)
        _, below = self._face(zone, s.temperature[-1], k[-1], half, e)
        return top, into, self.lower_face * below, k

    def rhs(self, s: Any) -> Mapping[str, Any]:
        _, above, below, k = self._faces(s)
        dz = self.thickness / self.cells
        t = s.temperature
        inner = 2.0 * k[:-1] * k[1:] / (k[:-1] + k[1:]) * (t[:-1] - t[1:]) / dz  # downwards
        gain = jnp.concatenate([above[None, :], inner]) - jnp.concatenate([inner, -below[None, :]])
        return {"temperature": 60.0 * gain / (dz * self.density * self.capacity(t))}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        t = s.temperature
        top = self._faces(s)[0]
        mean = t.sum(axis=0) / self.cells
        half = self.cells // 2
        taken = (self.enthalpy(t).sum(axis=0) / self.cells - self.enthalpy(self.charged)) * self.share
        core = 0.5 * (t[half - 1] + t[half])
        return {"zone_at_slab": self.along(self.zone_temperature, s.time / self.residence), "mean_temperature": mean,
                "top_temperature": top, "core_temperature": core, "probe_face": top[0], "probe_core": core[0],
                "uptake": 1e-3 * taken.sum()}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """Heat of a square meter of each kind, summed, in J."""
        _, above, below, _ = self._faces(s)
        dz = self.thickness / self.cells
        held = (self.density * dz * self.enthalpy(s.temperature)).sum()
        return {"heat": (held, 60.0 * (above + below).sum())}

    def initial(self) -> Mapping[str, Any]:
        import numpy as np

        return {"temperature": np.broadcast_to(np.asarray(self.charged), (self.cells, self.slabs)).reshape(-1)}

    def recipe(self) -> twin.Recipe:
        """From charging to discharging."""
        return twin.Recipe([twin.Phase(name="furnace", until=float(self.residence))])

    def tonnes_per_hour(self) -> Any:
        """Throughput at the residence time, t/h: the furnace holds as much as in the reference."""
        return self.throughput * 180.0 / self.residence
