"""A parcel of meal on a given temperature history: burnability tests, free-lime soft sensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from processes.cement.clinker import MOLAR, SOLIDS, Clinker, meal

MEAL = "reference meal of this work: LSF 96, SM 2.4, AM 1.6, four oxides only"


class ClinkerParcel(Clinker):
    """One kilogram of oxides that is burnt along a temperature given over time."""

    time_unit = "min"

    caco3 = twin.state("kg", lower=0, upper=2, nominal=0.3, doc="calcium carbonate")
    cao = twin.state("kg", lower=0, upper=1, nominal=0.3, doc="free lime")
    sio2 = twin.state("kg", lower=0, upper=1, nominal=0.2, doc="silica")
    al2o3 = twin.state("kg", lower=0, upper=1, nominal=0.05, doc="alumina")
    fe2o3 = twin.state("kg", lower=0, upper=1, nominal=0.03, doc="iron oxide")
    c2s = twin.state("kg", lower=0, upper=1, nominal=0.2, doc="belite")
    c3s = twin.state("kg", lower=0, upper=1, nominal=0.5, doc="alite")
    c3a = twin.state("kg", lower=0, upper=1, nominal=0.1, doc="aluminate")
    c4af = twin.state("kg", lower=0, upper=1, nominal=0.1, doc="ferrite")
    t_bed = twin.input("K", lower=300, upper=2000, nominal=1600, doc="temperature")
    free_lime = twin.output("%", lower=0, upper=100, nominal=5, doc="free CaO")
    alite = twin.output("%", lower=0, upper=100, nominal=60, doc="C3S")
    belite = twin.output("%", lower=0, upper=100, nominal=20, doc="C2S")
    aluminate = twin.output("%", lower=0, upper=100, nominal=9, doc="C3A")
    ferrite = twin.output("%", lower=0, upper=100, nominal=10, doc="C4AF")
    calcium = twin.output("mol", lower=0, upper=20, nominal=10, doc="Ca in all solids")

    oxides = twin.parameter((68.484, 22.247, 5.705, 3.565, 0.0), "%", shape=("parts",), bounds=(0, 100), source=MEAL,
                            doc="CaO, SiO2, Al2O3, Fe2O3, rest, without CO2")
    calcined = twin.parameter(0.9, "-", bounds=(0, 1), source=MEAL, doc="share of the CaO that is calcined at the start")
    parts = twin.static(5, doc="oxides and rest")

    def rhs(self, s: Any) -> Mapping[str, Any]:
        made, _ = self.reacting(s.t_bed, {n: getattr(s, n) for n in SOLIDS})
        return {n: 60.0 * made[n] for n in SOLIDS}

    def outputs(self, s: Any) -> Mapping[str, Any]:
        total = sum(getattr(s, n) for n in SOLIDS)
        share = {n: 100.0 * getattr(s, n) / total for n in SOLIDS}
        moles = {n: getattr(s, n) / MOLAR[n] for n in SOLIDS}
        calcium = (moles["caco3"] + moles["cao"] + 2 * moles["c2s"] + 3 * moles["c3s"] + 3 * moles["c3a"] + 4 * moles["c4af"])
        return {"free_lime": share["cao"], "alite": share["c3s"], "belite": share["c2s"], "aluminate": share["c3a"],
                "ferrite": share["c4af"], "calcium": calcium}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """Calcium stays; silicon stays."""
        silicon = s.sio2 / MOLAR["sio2"] + s.c2s / MOLAR["c2s"] + s.c3s / MOLAR["c3s"]
        return {"calcium": (self.outputs(s)["calcium"], 0.0), "silicon": (silicon, 0.0)}

    def initial(self) -> Mapping[str, Any]:
        return {n: float(v) for n, v in meal(self.oxides, self.calcined).items()}

    @staticmethod
    def history(peak: float = 1450.0) -> twin.Recipe:
        """870 degC, 900 after 8 min, `peak` degC from 24 to 32 min, 1250 after 36 min."""
        profile = twin.Profile([0, 8, 24, 32, 36], [1143.0, 1173.0, peak + 273.0, peak + 273.0, 1523.0], hold="linear")
        return twin.Recipe([twin.Phase(name="burning", inputs={"t_bed": profile}, until=36.0)])

    @classmethod
    def example(cls) -> ClinkerParcel:
        """The reference meal with the Spang-type calcination constant."""
        return cls(k_calcination=4.55e31, e_calcination=781.0)
