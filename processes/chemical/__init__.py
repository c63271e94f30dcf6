"""Chemical reactors."""

from __future__ import annotations

from processes.chemical.exothermic_cstr import ExothermicCstr as ExothermicCstr
from processes.chemical.tubular_reactor import TubularReactor as TubularReactor
from processes.chemical.van_de_vusse import VanDeVusse as VanDeVusse
