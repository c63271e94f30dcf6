"""Continuous casting: a slice moves with the casting speed from the meniscus; enthalpy method in one or two directions."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import twin
from twin import jnp, smooth

STEEL = "[textbook] plain carbon steel; the set of the reference slab"
FLUX = "form of Savage and Pritchard (1954), 2680 - 276 sqrt(t); fit it to the heat that the mould water takes"
SPRAY = "Nozaki et al., Trans. ISIJ 18 (1978) 330-338, as quoted by open calculators; [textbook]"
SIZE = "[textbook] order of size"
LAYOUT = "reference slab of this work: six zones"
SIGMA = 5.670374419e-8  # W/(m2 K4)
SOFT = 0.4e3  # J/kg: width of the smooth corners of T(H), about half a kelvin
EDGE = 0.03  # m: width of the smooth steps between zones


class Strand(twin.DynamicModel, abstract=True):  # type: ignore[call-arg]
    """What slices of a strand share: steel, mould flux, spray zones, radiation.

    Casting conditions are parameters: they hold for the whole way of a slice, and a cooling practice is a set of them. Time
    since the meniscus times speed is the way. Heat along the strand is left out (Peclet number above 1000).
    """

    time_unit = "s"

    zones = twin.static(6, doc="number of spray zones")

    speed = twin.parameter(1.2, "m/min", bounds=(0.1, 8), source=LAYOUT, doc="casting speed")
    machine_length = twin.parameter(30.0, "m", bounds=(1, 60), source=LAYOUT, doc="from the meniscus to the end of support")
    mould = twin.parameter(0.8, "m", bounds=(-10, 2), source=LAYOUT, doc="length of the mould below the meniscus")
    superheat = twin.parameter(25.0, "K", bounds=(0, 100), source=LAYOUT, doc="of the tundish")
    flux_a = twin.parameter(2680.0, "kW/m**2", bounds=(0, 1e4), source=FLUX, doc="mould heat flux at the meniscus")
    flux_b = twin.parameter(276.0, "kW/(m**2 s**0.5)", bounds=(0, 1000), source=FLUX, doc="its fall with sqrt(time)")
    zone_start = twin.parameter((0.8, 1.5, 3.5, 7.0, 12.0, 18.0), "m", shape=("zones",), bounds=(0, 60), source=LAYOUT,
                                doc="where each zone begins")
    water = twin.parameter((0.578, 0.236, 0.121, 0.0694, 0.0448, 0.0223), "l/(m**2 s)", shape=("zones",), bounds=(0, 20),
                           source=LAYOUT, doc="spray of each zone")
    water_temperature = twin.parameter(30.0, "degC", bounds=(0, 1200), source=LAYOUT, doc="of the spray, and of the surroundings")
    spray_factor = twin.parameter(1570.0, "W/(m**2 K)", bounds=(0, 1e5), source=SPRAY, doc="spray coefficient at 1 l/(m2 s)")
    spray_exponent = twin.parameter(0.55, "-", bounds=(0.1, 1), source=SPRAY, doc="of the spray coefficient")
    still = twin.parameter(0.0, "W/(m**2 K)", bounds=(0, 1e9), source=SIZE, doc="natural convection and roll contact, all zones")
    emissivity = twin.parameter(0.0, "-", bounds=(0, 1), source=SIZE, doc="of the surface below the mould; 0: within the spray")
    t_solidus = twin.parameter(1495.0, "degC", bounds=(1000, 1537), source=STEEL, doc="solidus")
    t_liquidus = twin.parameter(1525.0, "degC", bounds=(1000, 1540), source=STEEL, doc="liquidus")
    latent = twin.parameter(272e3, "J/kg", bounds=(1e4, 1e6), source=STEEL, doc="heat of solidification")
    c_solid = twin.parameter(690.0, "J/(kg K)", bounds=(100, 2000), source=STEEL, doc="heat capacity below the solidus")
    c_liquid = twin.parameter(800.0, "J/(kg K)", bounds=(100, 2000), source=STEEL, doc="heat capacity above the liquidus")
    density = twin.parameter(7400.0, "kg/m**3", bounds=(5000, 9000), source=STEEL, doc="of the strand")
    k_1000 = twin.parameter(26.0, "W/(m K)", bounds=(1, 100), source=STEEL, doc="conductivity, hot")
    k_slope = twin.parameter(0.01, "W/(m K**2)", bounds=(-0.1, 0.1), source=STEEL, doc="change of the conductivity")
    stirred = twin.parameter(0.0, "-", bounds=(0, 10), source=SIZE, doc="liquid conducts 1 + this times better")

    def liquid_enthalpy(self) -> Any:
        """Enthalpy at the liquidus in J/kg, from the solidus."""
        return self.latent + 0.5 * (self.c_solid + self.c_liquid) * (self.t_liquidus - self.t_solidus)

    def temperature_of(self, enthalpy: Any) -> Any:
        """Temperature in degC of an enthalpy in J/kg, which is 0 at the solidus."""
        top = self.liquid_enthalpy()
        mushy = (self.t_liquidus - self.t_solidus) / top
        return (self.t_solidus + enthalpy / self.c_solid + (mushy - 1.0 / self.c_solid) * smooth.positive(enthalpy, SOFT)
                + (1.0 / self.c_liquid - mushy) * smooth.positive(enthalpy - top, SOFT))

    def liquid_share(self, enthalpy: Any) -> Any:
        """Share of liquid at an enthalpy in J/kg."""
        top = self.liquid_enthalpy()
        return (smooth.positive(enthalpy, SOFT) - smooth.positive(enthalpy - top, SOFT)) / top

    def conductivity(self, temperature: Any, liquid: Any) -> Any:
        """Conductivity in W/(m K), larger where the liquid is stirred."""
        return (self.k_1000 + self.k_slope * (temperature - 1000.0)) * (1.0 + self.stirred * liquid)

    @twin.term("W/(m**2 K)", lower=0, upper=1e5, rises_with=("water",))
    def spray(self, water: Any, way: Any) -> Any:
        """Heat-transfer coefficient of a spray; what a learned correction changes, zone by zone through `way`."""
        return self.spray_factor * (1.0 - 0.0075 * self.water_temperature) * water**self.spray_exponent

    @twin.term("kW/m**2", lower=0, upper=1e4)
    def mould_flux(self, since: Any) -> Any:
        """Heat flux into the mould a time in s below the meniscus."""
        return smooth.positive(self.flux_a - self.flux_b * jnp.sqrt(since + 1e-3), 20.0)

    def way(self, time: Any) -> Any:
        """Way of the slice in m after a time in s."""
        return self.speed / 60.0 * time

    def secondary(self, way: Any) -> Any:
        """Coefficient of the spray zones in W/(m2 K) at a way in m, without radiation."""
        values = [self.spray(self.water[k], self.zone_start[k]) for k in range(self.zones)]
        found = values[0]
        for k in range(1, self.zones):
            found = found + (values[k] - values[k - 1]) * smooth.step(way - self.zone_start[k], EDGE)
        return found + self.still

    def surface(self, time: Any, cell: Any, k: Any, half: Any) -> tuple[Any, Any]:
        """Surface temperature in degC and flux out in W/m2 of a boundary cell whose center is `half` m below it."""
        way = self.way(time)
        below = smooth.step(way - self.mould, EDGE)
        h, inner = self.secondary(way), k / half
        mould = 1e3 * self.mould_flux(time)
        t, radiation = cell, 0.0
        for _ in range(3):  # radiation at the surface itself: a fixed point that contracts by h_radiation half / k, a few percent
            radiation = self.emissivity * SIGMA * ((t + 273.15) ** 4 - (self.water_temperature + 273.15) ** 4)
            t = (inner * cell + below * (h * self.water_temperature - radiation) - (1.0 - below) * mould) / (inner + below * h)
        return t, inner * (cell - t)

    def solid_cells(self, t: Any) -> Any:
        """How many cells from the surface are below the solidus, counted with the part of the last one (straight lines)."""
        share = (self.t_solidus - t[:-1]) / smooth.maximum(t[1:] - t[:-1], 1e-3, 1e-4)
        return 0.5 + smooth.limit(share, 0.0, 1.0, 0.02).sum() - 0.5 * smooth.step(t[0] - self.t_solidus, 5.0)

    def recipe(self) -> twin.Recipe:
        """From the meniscus to the end of the machine."""
        return twin.Recipe([twin.Phase(name="strand", until=float(self.machine_length / self.speed * 60.0))])

    def poured(self) -> Any:
        """Enthalpy of the steel at the meniscus in J/kg."""
        return self.liquid_enthalpy() + self.c_liquid * self.superheat

    def with_practice(self, **changes: Any) -> Any:
        """Copy with another casting practice; `water=` takes one value a zone in l/(m2 s), or coefficients as `h=` in W/(m2 K).

        Parameters
        ----------
        changes
            Parameters by name.
        """
        h = changes.pop("h", None)
        if h is not None:
            full = self.spray_factor * (1.0 - 0.0075 * changes.get("water_temperature", self.water_temperature))
            changes["water"] = tuple((v / full) ** (1.0 / self.spray_exponent) for v in h)
        return dataclasses.replace(self, **changes)


class SlabSlice(Strand):
    """Half the thickness of a slab, one direction: width over thickness above 5."""

    cells = twin.static(110, doc="number of cells over half the thickness")
    enthalpy = twin.state("J/kg", shape=("cells",), lower=-1.2e6, upper=6e5, nominal=2e5, doc="from the solidus, surface first")
    way_cast = twin.output("m", lower=0, upper=60, nominal=10, doc="way below the meniscus")
    surface_temperature = twin.output("degC", lower=0, upper=1600, nominal=1000, doc="broad face")
    center_temperature = twin.output("degC", lower=0, upper=1600, nominal=1500, doc="middle of the slab")
    shell = twin.output("mm", lower=0, upper=300, nominal=50, doc="solid thickness of one side")
    liquid_core = twin.output("mm", lower=0, upper=300, nominal=50, doc="half thickness that is not solid, by liquid share")
    flux_out = twin.output("kW/m**2", lower=-100, upper=1e4, nominal=500, doc="heat flux through the broad face")

    thickness = twin.parameter(0.22, "m", bounds=(0.02, 0.6), source=LAYOUT, doc="of the slab")

    def _fields(self, s: Any) -> tuple[Any, Any, Any]:
        dx = 0.5 * self.thickness / self.cells
        t = self.temperature_of(s.enthalpy)
        return dx, t, self.conductivity(t, self.liquid_share(s.enthalpy))

    def rhs(self, s: Any) -> Mapping[str, Any]:
        dx, t, k = self._fields(s)
        face = 2.0 * k[:-1] * k[1:] / (k[:-1] + k[1:]) * (t[1:] - t[:-1]) / dx  # towards the surface
        out = self.surface(s.time, t[0], k[0], 0.5 * dx)[1]
        gain = jnp.concatenate([face, jnp.zeros(1)]) - jnp.concatenate([jnp.reshape(out, (1,)), face])
        return {"enthalpy": gain / (dx * self.density)}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        dx, t, k = self._fields(s)
        liquid = self.liquid_share(s.enthalpy)
        surface, out = self.surface(s.time, t[0], k[0], 0.5 * dx)
        return {"way_cast": self.way(s.time), "surface_temperature": surface, "center_temperature": t[-1],
                "shell": 1e3 * dx * self.solid_cells(t), "liquid_core": 1e3 * dx * liquid.sum(), "flux_out": 1e-3 * out}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """Heat of the half slab, J for a square meter of face."""
        dx, t, k = self._fields(s)
        return {"heat": (self.density * dx * s.enthalpy.sum(), -self.surface(s.time, t[0], k[0], 0.5 * dx)[1])}

    def initial(self) -> Mapping[str, Any]:
        return {"enthalpy": float(self.poured())}


class BilletSlice(Strand):
    """A quarter of a billet or bloom, two directions; both faces have the same cooling."""

    nx = twin.static(22, doc="cells over half the thickness")
    ny = twin.static(22, doc="cells over half the width")
    enthalpy = twin.state("J/kg", shape=("nx", "ny"), lower=-1.2e6, upper=6e5, nominal=2e5, doc="from the solidus, corner first")
    way_cast = twin.output("m", lower=0, upper=60, nominal=10, doc="way below the meniscus")
    middle_temperature = twin.output("degC", lower=-1000, upper=1600, nominal=1000, doc="middle of the face")
    corner_temperature = twin.output("degC", lower=-1000, upper=1600, nominal=800, doc="cell at the corner")
    center_temperature = twin.output("degC", lower=0, upper=1600, nominal=1500, doc="axis of the billet")
    shell = twin.output("mm", lower=0, upper=300, nominal=50, doc="solid thickness in the middle of a face")
    liquid_share_left = twin.output("-", lower=0, upper=1, nominal=0.5, doc="liquid share of the section")

    thickness = twin.parameter(0.22, "m", bounds=(0.02, 0.6), source=LAYOUT, doc="of the billet")
    width = twin.parameter(0.22, "m", bounds=(0.02, 2.5), source=LAYOUT, doc="of the billet")

    def _fields(self, s: Any) -> tuple[Any, Any, Any, Any]:
        t = self.temperature_of(s.enthalpy)
        k = self.conductivity(t, self.liquid_share(s.enthalpy))
        return 0.5 * self.thickness / self.nx, 0.5 * self.width / self.ny, t, k

    def rhs(self, s: Any) -> Mapping[str, Any]:
        dx, dy, t, k = self._fields(s)
        face_x = 2.0 * k[:-1, :] * k[1:, :] / (k[:-1, :] + k[1:, :]) * (t[1:, :] - t[:-1, :]) / dx
        face_y = 2.0 * k[:, :-1] * k[:, 1:] / (k[:, :-1] + k[:, 1:]) * (t[:, 1:] - t[:, :-1]) / dy
        out_x = self.surface(s.time, t[0, :], k[0, :], 0.5 * dx)[1]
        out_y = self.surface(s.time, t[:, 0], k[:, 0], 0.5 * dy)[1]
        gain_x = jnp.concatenate([face_x, jnp.zeros((1, self.ny))]) - jnp.concatenate([out_x[None, :], face_x])
        gain_y = jnp.concatenate([face_y, jnp.zeros((self.nx, 1))], axis=1) - jnp.concatenate([out_y[:, None], face_y], axis=1)
        return {"enthalpy": (gain_x / dx + gain_y / dy) / self.density}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        dx, _, t, k = self._fields(s)
        return {"way_cast": self.way(s.time), "middle_temperature": self.surface(s.time, t[0, -1], k[0, -1], 0.5 * dx)[0],
                "corner_temperature": t[0, 0], "center_temperature": t[-1, -1], "shell": 1e3 * dx * self.solid_cells(t[:, -1]),
                "liquid_share_left": self.liquid_share(s.enthalpy).sum() / (self.nx * self.ny)}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """Heat of the quarter section, J for a meter of strand."""
        dx, dy, t, k = self._fields(s)
        out = (self.surface(s.time, t[0, :], k[0, :], 0.5 * dx)[1].sum() * dy
               + self.surface(s.time, t[:, 0], k[:, 0], 0.5 * dy)[1].sum() * dx)
        return {"heat": (self.density * dx * dy * s.enthalpy.sum(), -out)}

    def initial(self) -> Mapping[str, Any]:
        return {"enthalpy": float(self.poured())}
