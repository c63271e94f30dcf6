"""Mammalian cells that make an antibody: the kinetics of Xing et al. (2010) in a fed batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import twin
from processes.bioreactor.kinetics import inhibition, monod, needed_kla
from processes.bioreactor.vessel import well_mixed

XING = ("Xing, Bishop, Leister, Li, Biotechnol. Prog. 26 (2010) 208-219, doi:10.1002/btpr.284, as simplified in the public code "
        "of_compartments")
TEXTBOOK = "usual range of CHO processes [textbook]"
GUARD = "this work: keeps the concentration from going negative"
PICOGRAM_A_DAY = 1e-9 / 24  # in mg/h


class ChoFedBatch(twin.DynamicModel):
    """CHO cells on glucose and glutamine, inhibited by lactate and ammonia, in a fed batch.

    Uptake for maintenance and removal of ammonia are switched off smoothly where nothing is left (the source lets them
    become negative). Oxygen is not a state: `kla` says what transfer the cells need at the dissolved oxygen that is held.
    Temperature and pH are not in the source. The uptake of lactate late in a culture is not modeled: lactate only rises.
    Usual limits: lactate 40 to 50 mM, ammonia 5 to 6 mM, viability above 0.7 to 0.8 [textbook].
    """

    time_unit = "h"

    cells = twin.state("cells/l", lower=0, upper=3e10, nominal=1e9, per="volume", doc="viable cells")
    dead_cells = twin.state("cells/l", lower=0, upper=3e10, nominal=1e9, per="volume", doc="dead cells")
    glucose = twin.state("mmol/l", lower=0, upper=100, nominal=20, per="volume", doc="glucose")
    glutamine = twin.state("mmol/l", lower=0, upper=20, nominal=2, per="volume", doc="glutamine")
    lactate = twin.state("mmol/l", lower=0, upper=150, nominal=20, per="volume", doc="lactate")
    ammonia = twin.state("mmol/l", lower=0, upper=20, nominal=3, per="volume", doc="ammonia")
    antibody = twin.state("mg/l", lower=0, upper=1e4, nominal=200, per="volume", doc="monoclonal antibody")
    volume = twin.state("l", lower=0.1, upper=2000, nominal=10, doc="broth")
    feed = twin.input("l/h", lower=0, upper=10, nominal=0.01, doc="feed of glucose and glutamine")
    dissolved_oxygen = twin.input("mmol/l", lower=0.02, upper=0.18, nominal=0.08, doc="dissolved oxygen that is held")
    viability = twin.output("-", lower=0, upper=1, nominal=0.9, doc="viable cells over all cells")
    oxygen_uptake = twin.output("mmol/(l h)", lower=0, upper=30, nominal=1, doc="oxygen uptake rate")
    kla = twin.output("1/h", lower=0, upper=100, nominal=5, doc="oxygen transfer coefficient that is needed")
    antibody_mass = twin.output("mg", lower=0, upper=2e7, nominal=2e3, doc="antibody in the vessel")

    mu_max = twin.parameter(0.029, "1/h", bounds=(0, 0.2), validity=(0.01, 0.06), source=XING, doc="greatest growth rate")
    death_max = twin.parameter(0.016, "1/h", bounds=(0, 0.2), source=XING, doc="greatest specific death rate")
    k_glucose = twin.parameter(0.084, "mmol/l", bounds=(1e-4, 10), source=XING, doc="glucose at half the growth rate")
    k_glutamine = twin.parameter(0.047, "mmol/l", bounds=(1e-4, 10), source=XING, doc="glutamine at half the growth rate")
    k_i_lactate = twin.parameter(43.0, "mmol/l", bounds=(1, 500), source=XING, doc="lactate at half the growth rate")
    k_i_ammonia = twin.parameter(6.51, "mmol/l", bounds=(0.1, 100), source=XING, doc="ammonia at half the growth rate")
    k_d_lactate = twin.parameter(45.8, "mmol/l", bounds=(1, 500), source=XING, doc="lactate at half the death rate")
    k_d_ammonia = twin.parameter(6.51, "mmol/l", bounds=(0.1, 100), source=XING, doc="ammonia at half the death rate")
    m_glucose = twin.parameter(6.92e-11, "mmol/(cell h)", bounds=(0, 1e-8), source=XING, doc="glucose for maintenance")
    m_glutamine = twin.parameter(3.2e-12, "mmol/(cell h)", bounds=(0, 1e-8), source=XING, doc="glutamine for maintenance")
    k_m_glutamine = twin.parameter(2.1, "mmol/l", bounds=(1e-4, 100), source=XING, doc="glutamine at half its maintenance")
    k_decay = twin.parameter(7.2e-3, "1/h", bounds=(0, 1), source=XING, doc="decay of glutamine to ammonia")
    ammonia_removal = twin.parameter(6.3e-12, "mmol/(cell h)", bounds=(0, 1e-8), source=XING, doc="ammonia taken up by cells")
    y_glucose = twin.parameter(1.69e8, "cells/mmol", bounds=(1e6, 1e11), source=XING, doc="cells from glucose")
    y_glutamine = twin.parameter(9.74e8, "cells/mmol", bounds=(1e6, 1e11), source=XING, doc="cells from glutamine")
    y_lactate = twin.parameter(1.23, "mmol/mmol", bounds=(0, 2), source=XING, doc="lactate from glucose, 2 at most")
    y_ammonia = twin.parameter(0.67, "mmol/mmol", bounds=(0, 2), source=XING, doc="ammonia from glutamine")
    q_oxygen = twin.parameter(3.2e-10, "mmol/(cell h)", bounds=(0, 1e-8), source=XING, doc="specific oxygen uptake")
    q_antibody = twin.parameter(25.0, "pg/(cell day)", bounds=(0, 200), validity=(20, 30), source=TEXTBOOK,
                                doc="specific productivity")
    oxygen_saturation = twin.parameter(0.2, "mmol/l", bounds=(0.19, 1.2), source=TEXTBOOK, doc="dissolved oxygen at equilibrium")
    k_guard = twin.parameter(1e-3, "mmol/l", bounds=(1e-9, 1), source=GUARD, doc="concentration at half the guarded rates")
    feed_glucose = twin.parameter(500.0, "mmol/l", bounds=(0, 3000), source=TEXTBOOK, doc="glucose in the feed")
    feed_glutamine = twin.parameter(50.0, "mmol/l", bounds=(0, 500), source=TEXTBOOK, doc="glutamine in the feed")

    @twin.term("1/h", lower=0, upper=0.1, vanishes_with=("glucose", "glutamine"), falls_with=("lactate", "ammonia"))
    def growth_rate(self, glucose: Any, glutamine: Any, lactate: Any, ammonia: Any) -> Any:
        """Specific growth rate."""
        return (monod(glucose, self.mu_max, self.k_glucose) * monod(glutamine, 1.0, self.k_glutamine)
                * inhibition(lactate, self.k_i_lactate) * inhibition(ammonia, self.k_i_ammonia))

    @twin.term("1/h", lower=0, upper=0.1, vanishes_with=("lactate", "ammonia"), rises_with=("lactate", "ammonia"))
    def death_rate(self, lactate: Any, ammonia: Any) -> Any:
        """Specific death rate."""
        return monod(lactate, self.death_max, self.k_d_lactate) * monod(ammonia, 1.0, self.k_d_ammonia)

    @twin.term("mmol/(cell h)", lower=0, upper=1e-8, vanishes_with=("glucose",))
    def glucose_maintenance(self, glucose: Any) -> Any:
        """Glucose taken up without growth."""
        return monod(glucose, self.m_glucose, self.k_guard)

    @twin.term("pg/(cell day)", lower=0, upper=200)
    def productivity(self, glucose: Any, glutamine: Any, lactate: Any, ammonia: Any) -> Any:
        """Antibody made per cell; constant until it is learned."""
        return self.q_antibody

    def rhs(self, s: Any) -> Mapping[str, Any]:
        growth = self.growth_rate(s.glucose, s.glutamine, s.lactate, s.ammonia) * s.cells
        death = self.death_rate(s.lactate, s.ammonia) * s.cells
        sugar = self.glucose_maintenance(s.glucose) * s.cells + growth / self.y_glucose
        decay = self.k_decay * s.glutamine
        made = {
            "cells": growth - death,
            "dead_cells": death,
            "glucose": -sugar,
            "glutamine": -growth / self.y_glutamine - monod(s.glutamine, self.m_glutamine, self.k_m_glutamine) * s.cells - decay,
            "lactate": self.y_lactate * sugar,
            "ammonia": (self.y_ammonia * growth / self.y_glutamine + decay
                        - monod(s.ammonia, self.ammonia_removal, self.k_guard) * s.cells),
            "antibody": PICOGRAM_A_DAY * self.productivity(s.glucose, s.glutamine, s.lactate, s.ammonia) * s.cells,
        }
        return well_mixed(s, made, [(s.feed, {"glucose": self.feed_glucose, "glutamine": self.feed_glutamine})])

    def outputs(self, s: Any) -> Mapping[str, Any]:
        taken = self.q_oxygen * s.cells
        return {"viability": s.cells / (s.cells + s.dead_cells + 1.0), "oxygen_uptake": taken,
                "kla": needed_kla(taken, self.oxygen_saturation, s.dissolved_oxygen),
                "antibody_mass": s.antibody * s.volume}

    def balances(self, s: Any) -> Mapping[str, tuple[Any, Any]]:
        """Lactate, made and still in the glucose."""
        held = s.lactate + self.y_lactate * s.glucose
        return {"lactate from glucose": (held * s.volume, s.feed * self.y_lactate * self.feed_glucose)}

    def initial(self) -> Mapping[str, Any]:
        return {"cells": 3e8, "dead_cells": 0.0, "glucose": 40.0, "glutamine": 6.0, "lactate": 0.0, "ammonia": 0.0,
                "antibody": 0.0, "volume": 1.0}

    def recipe(self) -> twin.Recipe:
        """A batch of eight days."""
        return twin.Recipe([twin.Phase(name="batch", inputs={"feed": 0.0, "dissolved_oxygen": 0.08}, until=192.0)])
