"""Tubular reactor with axial dispersion, eight species and six reactions: the 1-D model of the simulation benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from twin import jnp

BENCHMARK = "this work: statement of the benchmark chain100"


class TubularReactor(twin.DynamicModel):
    """Cooled tubular reactor, upwind convection and central dispersion on equal cells.

    Reactions: A + B -> C, B + C -> D, A -> E, B + E -> F, F -> G + H, D -> 2 H, Arrhenius around 600 K; the fourth one is
    about a thousand times faster than the others, which makes the model stiff. Inlet concentrations and temperature are
    prescribed, the outlet has no gradient. A test problem, not a model of a real plant.
    """

    time_unit = "s"
    cells = twin.static(100, doc="number of cells")

    c_a = twin.state("mol/l", shape=("cells",), lower=0, upper=3, nominal=1, doc="species A")
    c_b = twin.state("mol/l", shape=("cells",), lower=0, upper=3, nominal=1, doc="species B")
    c_c = twin.state("mol/l", shape=("cells",), lower=0, upper=3, nominal=1, doc="species C")
    c_d = twin.state("mol/l", shape=("cells",), lower=0, upper=3, nominal=1, doc="species D")
    c_e = twin.state("mol/l", shape=("cells",), lower=0, upper=3, nominal=1, doc="species E")
    c_f = twin.state("mol/l", shape=("cells",), lower=0, upper=3, nominal=1, doc="species F")
    c_g = twin.state("mol/l", shape=("cells",), lower=0, upper=3, nominal=1, doc="species G")
    c_h = twin.state("mol/l", shape=("cells",), lower=0, upper=3, nominal=1, doc="species H")
    temperature = twin.state("K", shape=("cells",), lower=300, upper=1000, nominal=600, doc="reaction mass")
    velocity = twin.input("m/s", lower=0, upper=1, nominal=0.1, doc="flow velocity")
    c_a_in = twin.input("mol/l", lower=0, upper=3, nominal=1, doc="A at the inlet")
    c_b_in = twin.input("mol/l", lower=0, upper=3, nominal=2, doc="B at the inlet")
    t_in = twin.input("K", lower=400, upper=800, nominal=600, doc="inlet temperature")
    t_wall = twin.input("K", lower=400, upper=800, nominal=560, doc="wall temperature")
    conversion = twin.output("-", lower=-5, upper=1, nominal=0.5, doc="share of A converted at the outlet")

    length = twin.parameter(2.0, "m", bounds=(0, None), source=BENCHMARK, doc="reactor length")
    dispersion = twin.parameter(1e-4, "m**2/s", bounds=(0, None), source=BENCHMARK, doc="axial dispersion")
    ua = twin.parameter(0.4, "1/s", bounds=(0, None), source=BENCHMARK, doc="wall heat transfer over heat capacity")
    k_1 = twin.parameter(0.8, "l/(mol s)", bounds=(0, None), source=BENCHMARK, doc="A + B -> C at 600 K")
    k_2 = twin.parameter(0.5, "l/(mol s)", bounds=(0, None), source=BENCHMARK, doc="B + C -> D at 600 K")
    k_3 = twin.parameter(0.3, "1/s", bounds=(0, None), source=BENCHMARK, doc="A -> E at 600 K")
    k_4 = twin.parameter(800.0, "l/(mol s)", bounds=(0, None), source=BENCHMARK, doc="B + E -> F at 600 K")
    k_5 = twin.parameter(2.0, "1/s", bounds=(0, None), source=BENCHMARK, doc="F -> G + H at 600 K")
    k_6 = twin.parameter(0.2, "1/s", bounds=(0, None), source=BENCHMARK, doc="D -> 2 H at 600 K")
    e_1 = twin.parameter(7000.0, "K", bounds=(0, None), source=BENCHMARK, doc="activation temperature 1")
    e_2 = twin.parameter(6000.0, "K", bounds=(0, None), source=BENCHMARK, doc="activation temperature 2")
    e_3 = twin.parameter(9000.0, "K", bounds=(0, None), source=BENCHMARK, doc="activation temperature 3")
    e_4 = twin.parameter(3000.0, "K", bounds=(0, None), source=BENCHMARK, doc="activation temperature 4")
    e_5 = twin.parameter(5000.0, "K", bounds=(0, None), source=BENCHMARK, doc="activation temperature 5")
    e_6 = twin.parameter(8000.0, "K", bounds=(0, None), source=BENCHMARK, doc="activation temperature 6")
    h_1 = twin.parameter(-60.0, "K l/mol", source=BENCHMARK, doc="enthalpy over heat capacity 1")
    h_2 = twin.parameter(-40.0, "K l/mol", source=BENCHMARK, doc="enthalpy over heat capacity 2")
    h_3 = twin.parameter(20.0, "K l/mol", source=BENCHMARK, doc="enthalpy over heat capacity 3")
    h_4 = twin.parameter(-10.0, "K l/mol", source=BENCHMARK, doc="enthalpy over heat capacity 4")
    h_5 = twin.parameter(-30.0, "K l/mol", source=BENCHMARK, doc="enthalpy over heat capacity 5")
    h_6 = twin.parameter(-20.0, "K l/mol", source=BENCHMARK, doc="enthalpy over heat capacity 6")

    def cell(self, left: Any, own: Any, right: Any, s: Any) -> Mapping[str, Any]:
        """Balances of one cell."""
        dz = self.length / self.cells
        hot = 1.0 / own.temperature - 1.0 / 600.0
        r_1 = self.k_1 * jnp.exp(-self.e_1 * hot) * own.c_a * own.c_b
        r_2 = self.k_2 * jnp.exp(-self.e_2 * hot) * own.c_b * own.c_c
        r_3 = self.k_3 * jnp.exp(-self.e_3 * hot) * own.c_a
        r_4 = self.k_4 * jnp.exp(-self.e_4 * hot) * own.c_b * own.c_e
        r_5 = self.k_5 * jnp.exp(-self.e_5 * hot) * own.c_f
        r_6 = self.k_6 * jnp.exp(-self.e_6 * hot) * own.c_d
        made = {
            "c_a": -r_1 - r_3, "c_b": -r_1 - r_2 - r_4, "c_c": r_1 - r_2, "c_d": r_2 - r_6, "c_e": r_3 - r_4,
            "c_f": r_4 - r_5, "c_g": r_5, "c_h": r_5 + 2.0 * r_6,
            "temperature": -(self.h_1 * r_1 + self.h_2 * r_2 + self.h_3 * r_3 + self.h_4 * r_4 + self.h_5 * r_5
                             + self.h_6 * r_6) - self.ua * (own.temperature - s.t_wall),
        }

        def moved(name: str) -> Any:
            a, b, c = getattr(left, name), getattr(own, name), getattr(right, name)
            return -s.velocity * (b - a) / dz + self.dispersion * (a - 2.0 * b + c) / dz**2

        return {name: moved(name) + value for name, value in made.items()}

    def ends(self, first: Any, last: Any, s: Any) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        """Inlet values before the first cell, no gradient behind the last."""
        names = self.cell_names()
        inlet = dict.fromkeys(names, 0.0) | {"c_a": s.c_a_in, "c_b": s.c_b_in, "temperature": s.t_in}
        return inlet, {name: getattr(last, name) for name in names}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return {"conversion": 1 - s.c_a[-1] / s.c_a_in}

    def initial(self) -> Mapping[str, Any]:
        empty = dict.fromkeys(self.cell_names(), 0.0)
        return empty | {"c_b": 0.5, "temperature": 580.0}

    def recipe(self) -> twin.Recipe:
        """Constant flow, inlet and wall."""
        return twin.Recipe.constant(velocity=0.1, c_a_in=1.0, c_b_in=2.0, t_in=600.0, t_wall=560.0)
