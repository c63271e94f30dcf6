"""Two DaISy records (De Moor, ed., DaISy: Database for the Identification of Systems) and mechanistic models of their plants."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import numpy as np

import twin
from twin import jnp

MORNINGRED = "Morningred, Paden, Seborg, Mellichamp, Chem. Eng. Sci. 47 (1992) 755-763 [textbook]"
MCAVOY = "McAvoy, Hsu, Lowenthal, Ind. Eng. Chem. Process Des. Dev. 11 (1972) 68-70 [textbook]"


class Cstr(twin.DynamicModel):
    """Exothermic reaction A -> B in a stirred tank, cooled by a flow in countercurrent."""

    time_unit = "min"

    c_a = twin.state("mol/l", lower=0, upper=1.2, nominal=0.1, doc="concentration")
    temperature = twin.state("K", lower=300, upper=600, nominal=440, doc="of the reactor")
    coolant = twin.input("l/min", lower=50, upper=150, nominal=100, doc="coolant flow")

    flow = twin.parameter(100.0, "l/min", bounds=(50, 200), source=MORNINGRED, doc="feed flow")
    c_feed = twin.parameter(1.0, "mol/l", bounds=(0.5, 2), source=MORNINGRED, doc="feed concentration")
    t_feed = twin.parameter(350.0, "K", bounds=(320, 380), source=MORNINGRED, doc="feed temperature")
    k_0 = twin.parameter(7.2e10, "1/min", bounds=(1e9, 1e12), scale="log", source=MORNINGRED, doc="frequency factor")
    activation = twin.parameter(1e4, "K", bounds=(8e3, 12e3), source=MORNINGRED, doc="E/R")
    heat = twin.parameter(200.0, "K l/mol", bounds=(100, 400), source=MORNINGRED, doc="adiabatic rise per mol/l")
    transfer = twin.parameter(700.0, "l/min", bounds=(300, 1500), source=MORNINGRED, doc="hA / (density heat capacity)")
    lag = twin.parameter(100.0, "l", bounds=(50, 200), source=MORNINGRED, doc="volume")

    @twin.term("1/min", lower=0, upper=1e4)
    def rate_constant(self, temperature: Any) -> Any:
        """Arrhenius."""
        return self.k_0 * jnp.exp(-self.activation / temperature)

    def rhs(self, s: Any) -> Any:
        made = self.rate_constant(s.temperature) * s.c_a
        through = self.flow / self.lag
        cooling = s.coolant / self.lag * (1 - jnp.exp(-self.transfer / s.coolant)) * (self.t_feed - s.temperature)
        return {"c_a": through * (self.c_feed - s.c_a) - made,
                "temperature": through * (self.t_feed - s.temperature) + self.heat * made + cooling}

    def initial(self) -> Any:
        return {"c_a": 0.1, "temperature": 438.54}


class Neutralization(twin.DynamicModel):
    """Acetic acid neutralized by sodium hydroxide in a stirred tank of constant volume.

    Two balances of charge carriers, and a titration curve. The share of the acid that is dissociated is a term.
    """

    time_unit = "s"

    acid = twin.state("mmol/l", lower=0, upper=10, nominal=3, doc="acetate, all forms")
    base = twin.state("mmol/l", lower=0, upper=50, nominal=3, doc="sodium")
    reading = twin.state("-", lower=0, upper=14, nominal=7, doc="pH as the electrode shows it")
    ph = twin.algebraic("-", lower=0, upper=14, nominal=7, doc="pH")
    acid_flow = twin.input("l/s", lower=0, upper=40, nominal=10, doc="acid")
    base_flow = twin.input("l/s", lower=0, upper=10, nominal=1, doc="base")

    volume = twin.parameter(1100.0, "l", bounds=(200, 4000), scale="log", source=MCAVOY, doc="of the tank")
    c_acid = twin.parameter(3.2, "mmol/l", bounds=(0.5, 20), scale="log", source=MCAVOY, doc="acid feed")
    c_base = twin.parameter(50.0, "mmol/l", bounds=(5, 300), scale="log", source=MCAVOY, doc="base feed")
    pk_a = twin.parameter(4.75, "-", bounds=(2, 8), source=MCAVOY, doc="of acetic acid")
    pk_w = twin.parameter(14.0, "-", bounds=(12, 15), source=MCAVOY, doc="of water")

    delay = twin.parameter(2.0, "s", bounds=(0.1, 200), scale="log", source="this work", doc="time constant of the electrode")

    @twin.term("-", lower=0, upper=1)
    def dissociated(self, ph: Any) -> Any:
        """Share of the acid that carries charge."""
        return 1 / (1 + jnp.exp(jnp.log(10.0) * (self.pk_a - ph)))

    def rhs(self, s: Any) -> Any:
        total = s.acid_flow + s.base_flow
        return {"acid": (s.acid_flow * self.c_acid - total * s.acid) / self.volume,
                "base": (s.base_flow * self.c_base - total * s.base) / self.volume,
                "reading": (s.ph - s.reading) / self.delay}

    def residual(self, s: Any) -> Any:
        free = 1e3 * (jnp.exp(-jnp.log(10.0) * s.ph) - jnp.exp(jnp.log(10.0) * (s.ph - self.pk_w)))  # mmol/l
        return {"ph": s.base + free - s.acid * self.dissociated(s.ph)}

    def initial(self) -> Any:
        return {"acid": 2.9, "base": 4.5, "reading": 10.8}


def table(folder: str, name: str) -> Any:
    """Numbers of a record, plain or compressed."""
    path = Path(folder) / "daisy" / name
    packed = path.with_name(path.name + ".xz")
    if not path.exists() and not packed.exists():
        raise FileNotFoundError(f"{path} is missing. "
                                f"Name the folder of the DaISy records with --data DIR (it holds daisy/{name}).")
    text = path.read_text() if path.exists() else lzma.decompress(packed.read_bytes()).decode()
    return np.array([[float(v) for v in row.split()] for row in text.splitlines() if row.strip()])


def half(name: str, times: Any, inputs: dict[str, tuple[Any, str]], outputs: dict[str, tuple[Any, str]], unit: str) -> Any:
    """A run from its first row on."""
    series = [twin.Series(n, times - times[0], v, u) for n, (v, u) in (inputs | outputs).items()]
    return twin.Run(name, None, series, unit)


def fit_percent(measured: Any, predicted: Any) -> float:
    """100 (1 - norm of the error / norm about the mean)."""
    return float(100 * (1 - np.linalg.norm(measured - predicted) / np.linalg.norm(measured - np.mean(measured))))
