"""Reflow oven: a solder joint as one node, an assembly of parts on a board, and a board through its thickness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from processes.electronics.tunnel import FITTED, SIGMA, SIZE, Tunnel
from twin import cells


class ReflowOven(Tunnel):
    """A solder joint that is heated by the air, dT/dt = rate (T_air - T): Biot number below 0.1.

    The term `heating` is what a learned correction changes; it sees the way of the board, so that it can tell the zones apart.
    """

    judged = ("joint",)

    joint = twin.state("degC", lower=-20, upper=400, nominal=150, doc="solder joint")
    way = twin.output("cm", lower=0, upper=1e4, nominal=200, doc="way of the board")
    air_temperature = twin.output("degC", lower=-20, upper=400, nominal=150, doc="air at the board")
    power_drawn = twin.output("kW", lower=0, upper=500, nominal=25, doc="electric power of the loaded oven")
    energy_per_board = twin.output("kWh", lower=0, upper=100, nominal=0.2, doc="electric energy for one board")

    rates = twin.parameter((0.0198, 0.0208, 0.0223, 0.0358), "1/s", shape=("regions",), bounds=(1e-4, 1), scale="log",
                           source=FITTED, doc="heat transfer over heat capacity in each region")

    @twin.term("1/s", lower=0, upper=1)
    def heating(self, way: Any) -> Any:
        """Heat transfer over heat capacity at a place in the oven."""
        return self.region_value(self.rates, way)

    @twin.term("degC", lower=-20, upper=400)
    def local_air(self, way: Any) -> Any:
        """Air that the joint sees at a place in the oven."""
        return self.air(way)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        where = self.position(s.time)
        return {"joint": self.heating(where) * (self.local_air(where) - s.joint)}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return self.shared_outputs(s)

    def initial(self) -> Mapping[str, Any]:
        return {"joint": self.ambient}


class ReflowAssembly(Tunnel):
    """A board and parts of other masses on it: each takes heat from the air and through its contacts.

    `hottest` and `coldest` are smoothed by half a degree.
    """

    judged = ("board", "part")

    parts = twin.static(3, doc="number of parts beside the board")
    board = twin.state("degC", lower=-20, upper=400, nominal=150, doc="board")
    part = twin.state("degC", shape=("parts",), lower=-20, upper=400, nominal=150, doc="parts")
    way = twin.output("cm", lower=0, upper=1e4, nominal=200, doc="way of the board")
    air_temperature = twin.output("degC", lower=-20, upper=400, nominal=150, doc="air at the board")
    power_drawn = twin.output("kW", lower=0, upper=500, nominal=25, doc="electric power of the loaded oven")
    energy_per_board = twin.output("kWh", lower=0, upper=100, nominal=0.2, doc="electric energy for one board")
    coldest = twin.output("degC", lower=-20, upper=400, nominal=150, doc="coldest part or board")
    hottest = twin.output("degC", lower=-20, upper=400, nominal=150, doc="hottest part or board")

    rates = twin.parameter((0.0198, 0.0208, 0.0223, 0.0358), "1/s", shape=("regions",), bounds=(1e-4, 1), scale="log",
                           source=FITTED, doc="heat transfer over heat capacity of the board in each region")
    part_rate = twin.parameter((0.6, 0.9, 1.5), "-", shape=("parts",), bounds=(0.01, 20), scale="log", source=SIZE,
                               doc="heat transfer over heat capacity of each part, over that of the board")
    contact = twin.parameter((0.012, 0.03, 0.08), "1/s", shape=("parts",), bounds=(0, 10), source=SIZE,
                             doc="conductance to the board over the heat capacity of the part")
    share = twin.parameter((0.15, 0.05, 0.01), "-", shape=("parts",), bounds=(0, 5), source=SIZE,
                           doc="heat capacity of each part over that of the board")

    @twin.term("1/s", lower=0, upper=1)
    def heating(self, way: Any) -> Any:
        """Heat transfer over heat capacity of the board at a place in the oven."""
        return self.region_value(self.rates, way)

    def rhs(self, s: Any) -> Mapping[str, Any]:
        where = self.position(s.time)
        rate, air = self.heating(where), self.air(where)
        through = self.contact * (s.board - s.part)
        return {"board": rate * (air - s.board) - (self.share * through).sum(),
                "part": rate * self.part_rate * (air - s.part) + through}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        hot = cold = s.board
        for k in range(self.parts):
            hot, cold = twin_max(hot, s.part[k]), -twin_max(-cold, -s.part[k])
        return self.shared_outputs(s) | {"coldest": cold, "hottest": hot}

    def initial(self) -> Mapping[str, Any]:
        return {"board": self.ambient, "part": self.ambient}


def twin_max(a: Any, b: Any) -> Any:
    """Smooth maximum of two temperatures, within half a degree."""
    from twin import smooth

    return smooth.maximum(a, b, 0.5)


class ReflowSection(Tunnel):
    """A board through its thickness: conduction inside, convection and radiation at both faces."""

    judged = ("top", "middle")

    cells = twin.static(10, doc="number of layers")
    temperature = twin.state("degC", shape=("cells",), lower=-20, upper=400, nominal=150, doc="layers, top first")
    way = twin.output("cm", lower=0, upper=1e4, nominal=200, doc="way of the board")
    air_temperature = twin.output("degC", lower=-20, upper=400, nominal=150, doc="air at the board")
    power_drawn = twin.output("kW", lower=0, upper=500, nominal=25, doc="electric power of the loaded oven")
    energy_per_board = twin.output("kWh", lower=0, upper=100, nominal=0.2, doc="electric energy for one board")
    top = twin.output("degC", lower=-20, upper=400, nominal=150, doc="upper face")
    middle = twin.output("degC", lower=-20, upper=400, nominal=150, doc="half thickness")

    thickness = twin.parameter(1.6, "mm", bounds=(0.05, 20), source=SIZE, doc="of the board")
    conductivity = twin.parameter(0.35, "W/(m K)", bounds=(0.01, 400), source=SIZE, doc="across the board")
    capacity = twin.parameter(2.2e6, "J/(m**3 K)", bounds=(1e4, 1e8), source=SIZE, doc="volumetric heat capacity")
    h_top = twin.parameter(42.0, "W/(m**2 K)", bounds=(0, 1000), source=SIZE, doc="convection above")
    h_bottom = twin.parameter(30.0, "W/(m**2 K)", bounds=(0, 1000), source=SIZE, doc="convection below")
    fan = twin.parameter((1.0, 1.0, 1.0, 1.0), "-", shape=("regions",), bounds=(0.05, 20), scale="log", source=SIZE,
                         doc="convection in each region over h_top and h_bottom")
    emissivity = twin.parameter(0.8, "-", bounds=(0, 1), source=SIZE, doc="of the faces")

    @twin.term("W/m**2", lower=-1e6, upper=1e6)
    def face_flux(self, air: Any, face: Any, convection: Any) -> Any:
        """Heat flux into a face; the walls are as hot as the air."""
        radiation = self.emissivity * SIGMA * ((air + 273.15) ** 4 - (face + 273.15) ** 4)
        return convection * (air - face) + radiation

    def cell(self, left: Any, own: Any, right: Any, s: Any) -> Mapping[str, Any]:
        """Conduction between layers."""
        dz = self.thickness * 1e-3 / self.cells
        spread = self.conductivity / self.capacity
        return {"temperature": cells.diffusion(left.temperature, own.temperature, right.temperature, spread, dz)}

    def ends(self, first: Any, last: Any, s: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Layers beyond the faces that carry the flux of the faces by conduction."""
        where = self.position(s.time)
        air, fan = self.air(where), self.region_value(self.fan, where)
        dz = self.thickness * 1e-3 / self.cells
        above = self.face_flux(air, first.temperature, self.h_top * fan)
        below = self.face_flux(air, last.temperature, self.h_bottom * fan)
        return {"temperature": first.temperature + above * dz / self.conductivity}, \
            {"temperature": last.temperature + below * dz / self.conductivity}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        half = self.cells // 2
        return self.shared_outputs(s) | {"top": s.temperature[0], "middle": 0.5 * (s.temperature[half - 1] + s.temperature[half])}

    def initial(self) -> Mapping[str, Any]:
        return {"temperature": self.ambient}
