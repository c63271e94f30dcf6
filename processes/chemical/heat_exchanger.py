"""Counter-current heat exchangers that foul, alone and in a preheat train."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import twin
from twin import jnp

EXAMPLE = "usual values of a crude preheat train [textbook]"
KERN = "Kern, Seaton, Brit. Chem. Eng. 4 (1959) 258-262 [textbook constants]"
EBERT = "Ebert, Panchal, Engineering Foundation Conf. on Fouling Mitigation (1995) [textbook constants]"
GAS_CONSTANT = 8.314462618  # J/(mol K)


class HeatExchanger(twin.DynamicModel):
    """Counter-current exchanger by the effectiveness method; its resistance grows by fouling.

    Fouling follows Kern and Seaton: it approaches `resistance_end` with the time constant `fouling_time`. Exchange the term
    `fouling_rate` for `EbertPanchal()` where velocity and temperature matter. A cleaning is
    `twin.Assign("resistance", 0.0)` at the start of a phase.
    """

    time_unit = "day"

    resistance = twin.state("m2 K/W", lower=0, upper=0.02, nominal=4e-4, doc="fouling resistance")
    hot_flow = twin.input("kg/s", lower=0.1, upper=500, nominal=20, doc="hot stream")
    cold_flow = twin.input("kg/s", lower=0.1, upper=500, nominal=15, doc="cold stream")
    t_hot_in = twin.disturbance("degC", lower=0, upper=500, nominal=150, doc="hot stream, inlet")
    t_cold_in = twin.disturbance("degC", lower=0, upper=500, nominal=20, doc="cold stream, inlet")
    u = twin.output("W/(m2 K)", lower=0, upper=5000, nominal=500, doc="overall heat transfer coefficient")
    duty = twin.output("MW", lower=-1000, upper=1000, nominal=4, doc="heat from hot to cold")
    t_hot_out = twin.output("degC", lower=0, upper=500, nominal=100, doc="hot stream, outlet")
    t_cold_out = twin.output("degC", lower=0, upper=500, nominal=80, doc="cold stream, outlet")
    t_film = twin.output("degC", lower=0, upper=500, nominal=85, doc="mean of the four temperatures, for the film")

    u_clean = twin.parameter(500.0, "W/(m2 K)", bounds=(1, 10000), source=EXAMPLE, doc="clean heat transfer coefficient")
    area = twin.parameter(100.0, "m2", bounds=(0.1, 1e5), source=EXAMPLE, doc="surface")
    cp_hot = twin.parameter(4180.0, "J/(kg K)", bounds=(500, 6000), source=EXAMPLE, doc="heat capacity of the hot stream")
    cp_cold = twin.parameter(4180.0, "J/(kg K)", bounds=(500, 6000), source=EXAMPLE, doc="heat capacity of the cold stream")
    resistance_end = twin.parameter(4e-4, "m2 K/W", bounds=(0, 0.02), source=KERN, doc="fouling resistance approached")
    fouling_time = twin.parameter(60.0, "day", bounds=(0.1, 10000), source=KERN, doc="time constant of fouling")

    @twin.term("m2 K/(W day)", lower=-0.01, upper=0.01)
    def fouling_rate(self, resistance: Any, cold_flow: Any, t_film: Any) -> Any:
        """Growth of the fouling resistance."""
        return (self.resistance_end - resistance) / self.fouling_time

    @twin.term("W/(m2 K)", lower=0, upper=10000)
    def clean_transfer(self, hot_flow: Any, cold_flow: Any) -> Any:
        """Heat transfer coefficient of the clean exchanger."""
        return self.u_clean

    def _exchange(self, s: Any) -> dict[str, Any]:
        """Overall coefficient, heat and outlet temperatures; equal heat capacity flows are no special case."""
        c_hot, c_cold = s.hot_flow * self.cp_hot, s.cold_flow * self.cp_cold
        u = 1 / (1 / self.clean_transfer(s.hot_flow, s.cold_flow) + s.resistance)
        y = 0.5 * u * self.area * (1 / c_cold - 1 / c_hot)
        even = jnp.sqrt(y * y + 1e-12)  # sinh(y)/y is even: the root only keeps 0/0 away
        share = jnp.exp(-y) * jnp.sinh(even) / even  # (1 - exp(-2y)) / 2y
        duty = (s.t_hot_in - s.t_cold_in) * share / (1 / (u * self.area) + share / c_hot)
        hot, cold = s.t_hot_in - duty / c_hot, s.t_cold_in + duty / c_cold
        return {"u": u, "duty": 1e-6 * duty, "t_hot_out": hot, "t_cold_out": cold,
                "t_film": 0.25 * (s.t_hot_in + s.t_cold_in + hot + cold)}

    def rhs(self, s: Any) -> Mapping[str, Any]:
        return {"resistance": self.fouling_rate(s.resistance, s.cold_flow, self._exchange(s)["t_film"])}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        return self._exchange(s)

    def initial(self) -> Mapping[str, Any]:
        return {"resistance": 0.0}

    def recipe(self) -> twin.Recipe:
        """A year without cleaning."""
        return twin.Recipe([twin.Phase(name="operation", inputs={"hot_flow": 20.0, "cold_flow": 15.0}, until=365.0)])


class EbertPanchal(twin.Module):
    """Fouling of crude oil: deposition that rises with film temperature, removal by shear; a relation for `fouling_rate`.

    `deposition (w/w_0)^-0.66 exp(-energy/(R T_film)) - removal (w/w_0)^2`, with the flow w for the velocity. Valid for one
    geometry: fit both factors to your exchanger.

    Examples
    --------
    >>> exchanger = HeatExchanger().with_term("fouling_rate", EbertPanchal())
    >>> "relations.fouling_rate.energy" in exchanger.parameter_names()
    True
    """

    deposition: float = twin.parameter(0.2, "m2 K/(W day)", bounds=(0, None), source=EBERT, doc="factor of deposition")
    removal: float = twin.parameter(1e-6, "m2 K/(W day)", bounds=(0, None), source=EBERT, doc="removal at the reference flow")
    energy: float = twin.parameter(28000.0, "J/mol", bounds=(0, None), source=EBERT, doc="activation energy")
    flow_0: float = twin.parameter(15.0, "kg/s", bounds=(0.1, None), source=EXAMPLE, doc="reference flow")

    def __call__(self, resistance: Any, cold_flow: Any, t_film: Any) -> Any:
        speed = cold_flow / self.flow_0
        made = self.deposition * speed**-0.66 * jnp.exp(-self.energy / (GAS_CONSTANT * (t_film + 273.15)))
        return made - self.removal * speed**2


def preheat_train(exchangers: int = 3, **parameters: Any) -> Any:
    """Exchangers in a row that heat one cold stream, each by a hot stream of its own: a heat-exchanger network that fouls.

    Parameters
    ----------
    exchangers
        How many; they are called "e1", "e2", ... in the direction of the cold stream.
    parameters
        Parameters of `HeatExchanger` that all share.

    Examples
    --------
    >>> import twin
    >>> from processes.chemical import preheat_train
    >>> train = preheat_train(2)
    >>> train.what_must_i_set()
    ('e1.hot_flow', 'e1.cold_flow', 'e2.hot_flow')
    >>> flows = {"e1.hot_flow": 20.0, "e2.hot_flow": 20.0, "e1.cold_flow": 15.0}
    >>> run = twin.simulate(train, flows, inputs={"e1.t_hot_in": 120.0, "e2.t_hot_in": 180.0}, duration="60 day")
    >>> run.final["e2.t_cold_out"] > run.final["e1.t_cold_out"]
    True
    """
    names = [f"e{k + 1}" for k in range(exchangers)]
    links = []
    for before, after in itertools.pairwise(names):
        links += [(f"{before}.t_cold_out", f"{after}.t_cold_in"), (f"{names[0]}.cold_flow", f"{after}.cold_flow")]
    return twin.connect({n: HeatExchanger(**parameters) for n in names}, links, name="preheat_train")
