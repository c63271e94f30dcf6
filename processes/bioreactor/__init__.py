"""Bioreactors."""

from __future__ import annotations

from processes.bioreactor.bajpai_reuss import BajpaiReuss as BajpaiReuss
from processes.bioreactor.penicillin import Penicillin as Penicillin
