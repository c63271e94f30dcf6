"""The table of public problems: statement, start, grid, tier, and the best known re-simulated value on that grid.

Values on N equal piecewise-constant intervals come from collocation with IPOPT, re-simulated with CVODES at 1e-10; P15 and P16
are COPS. Tier A: to 1e-4 from a single start. B: to 1e-3 with several starts. C: reported only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import optimizers
import twin
from benchmarks.problems import public_bio as bio
from benchmarks.problems import public_estimation as fit
from benchmarks.problems import public_mechanics as mech
from benchmarks.problems import public_reactors as reactors
from processes.bioreactor import BajpaiReuss

Trajectory, Move, Integral, Sum = optimizers.Trajectory, optimizers.Move, optimizers.Integral, optimizers.Sum


@dataclasses.dataclass(frozen=True)
class Case:
    """One problem.

    Attributes
    ----------
    name, tier, value
        Its number, "A", "B" or "C", and the reference on this grid.
    build
        Makes the `Trajectory`.
    start, starts
        Where to begin, and how many searches.
    tolerance
        Largest relative shortfall.
    """

    name: str
    tier: str
    value: float
    build: Callable[[], Any]
    start: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    starts: int = 1
    tolerance: float = 1e-4

    def shortfall(self, objective: float) -> float:
        """How much worse than the reference, relative; negative where better."""
        problem = self.build()
        worse = self.value - objective if problem.minimize is None else objective - self.value
        return worse / abs(self.value)


def _cart(**fields: Any) -> Any:
    return Trajectory(mech.Cart(), moves={"u": fields.pop("bounds")}, **fields)


def _lee(weight: float, modified: bool, intervals: int) -> Any:
    return Trajectory(bio.LeeRamirez(modified=modified), maximize={"product": 1.0, Integral("inducer_feed"): -weight} if weight
                      else "product", moves=["glucose_feed", "inducer_feed"], intervals=intervals, duration=10)


def _ethanol(duration: Any) -> Any:
    return Trajectory(bio.Ethanol(), maximize="product", moves="feed", intervals=90, duration=duration,
                      limits={"volume": (None, 200)})


def _penicillin(duration: Any, intervals: int) -> Any:
    return Trajectory(BajpaiReuss(), maximize="product_mass", moves="feed", intervals=intervals, duration=duration,
                      limits={"biomass": (None, 40), "substrate": (0, 25), "volume": (None, 10)})


def _samples(times: Any, rows: Mapping[str, Any]) -> dict[str, Any]:
    return {name: twin.Profile(times, values) for name, values in rows.items()}


def _pinene() -> Any:
    rows = {f"m{k + 1}": [row[k] for row in fit.PINENE] for k in range(5)}
    return Trajectory(fit.Pinene(), minimize=Sum("squares", fit.PINENE_TIMES), inputs=_samples(fit.PINENE_TIMES, rows),
                      parameters={f"k{k}": (0.0, 1e-3) for k in range(1, 6)}, duration=fit.PINENE_TIMES[-1], intervals=1)


def _cracking() -> Any:
    samples = _samples(fit.CRACKING_TIMES, fit.CRACKING)
    return Trajectory(fit.Cracking(), minimize=Sum("squares", fit.CRACKING_TIMES), inputs=samples,
                      parameters={"k1": (0.0, 20.0), "k2": (0.0, 20.0), "k3": (0.0, 20.0)}, duration=0.95, intervals=1)


def _van_der_pol(bounds: Any, **more: Any) -> Any:
    return Trajectory(mech.VanDerPol(), minimize=Integral("cost"), moves={"u": bounds}, intervals=100, duration=5, **more)


def _rayleigh(duration: float, hold: str = "previous", **more: Any) -> Any:
    return Trajectory(mech.Rayleigh(), minimize=Integral("cost"), moves={"u": Move(hold=hold)}, intervals=100, duration=duration,
                      **more)


def _catalyst(duration: float) -> Any:
    return Trajectory(reactors.CatalystMixing(), maximize="c", moves="share", intervals=100, duration=duration)


def _luus() -> Any:
    return Trajectory(reactors.LuusCstr(), minimize=Integral("cost"), moves="cooling", intervals=100, duration=0.78)


def _four(moves: list[str], **inputs: float) -> Any:
    return Trajectory(reactors.FourReactions(), maximize="profit", moves=moves, inputs=inputs, intervals=100, duration=0.2)


PI = mech.PI
REST = {"rho_dot": 0.0, "theta_dot": 0.0, "phi_dot": 0.0}
CASES = (
    Case("P01", "A", 0.6107920, lambda: Trajectory(reactors.BatchReactor(), maximize="c_b", moves="temperature", intervals=100,
                                                   duration=1)),
    Case("P02", "A", 0.5735342, lambda: Trajectory(reactors.ParallelReactions(), maximize="c_b", moves="rate", intervals=100,
                                                   duration=1)),
    Case("P03", "A", 0.0480556, lambda: _catalyst(1)),
    Case("P05", "A", 0.1918118, lambda: _catalyst(4)),
    Case("P06a", "A", 0.1331384, _luus, {"cooling": twin.Profile([0, 0.78], [3.5, 1.75], "linear")}),
    Case("P07a", "A", 20.0957656, lambda: _four(["u1", "u2", "u3"], u4=6.0)),
    Case("P08", "A", 19.8011431, lambda: Trajectory(
        reactors.SafeSemiBatch(), minimize="duration", moves="feed", intervals=100, duration=(5, 40),
        limits={"c_b": (None, 0.63), "volume": (None, 1)}, final={"product": (0.6, None)}), {"duration": 20.0}),
    Case("P15", "A", 5.2366e-3, _cracking),
    Case("P16", "A", 19.8721, _pinene),
    Case("P17a", "A", 2.8677806, lambda: _van_der_pol((-0.3, 1))),
    Case("P17b", "A", 2.9545400, lambda: _van_der_pol((-0.3, 1), limits={"x1": (-0.4, None)})),
    Case("P17c", "A", 3.6796868, lambda: _van_der_pol((-5, 5), final={"difference": -1.0})),
    Case("P18", "A", 4.0008941, lambda: _cart(
        bounds=(-30, 30), minimize=Integral("effort"), initial={"x": 0.0, "v": 1.0}, final={"x": 0.0, "v": -1.0},
        limits={"x": (None, 1 / 9)}, duration=1, intervals=100)),
    Case("P19a", "A", 44.8044446, lambda: _rayleigh(4.5, "linear", limits={"mixed": (None, 0)}), tolerance=1e-3),
    Case("P19b", "A", 29.7662301, lambda: _rayleigh(4.5)),
    Case("P19c", "A", 29.9206739, lambda: _rayleigh(2.5, final={"x1": 0.0, "x2": 0.0})),
    Case("P20", "A", 5.15140e-3, lambda: Trajectory(
        mech.Crane(), minimize=Integral("swing"), moves=["u1", "u2"], intervals=100, duration=9,
        limits={"x4": (-2.5, 2.5), "x5": (-1, 1)},
        final={"x1": 10.0, "x2": 14.0, "x3": 0.0, "x4": 2.5, "x5": 0.0, "x6": 0.0})),
    Case("P21", "A", 1.0128368, lambda: Trajectory(
        mech.Goddard(), maximize="h", moves="thrust", intervals=100, duration=(0.05, 1), final={"m": 0.6},
        limits={"h": (1, None), "v": (0, None)}), {"duration": 0.2, "thrust": 1.0}),
    Case("P23", "A", 9.1411878, lambda: Trajectory(
        mech.RobotArm(), minimize="duration", moves=["u1", "u2", "u3"], intervals=100, duration=(1, 30),
        final={"rho": 4.5, "theta": 2 * PI / 3, "phi": PI / 4, **REST}, limits={"rho": (0, 5), "phi": (0, PI)}),
        {"duration": 10.0}),
    Case("P24", "A", 2.0, lambda: _cart(bounds=(-1, 1), minimize="duration", initial={"x": 1.0, "v": 0.0}, intervals=40,
                                        final={"x": 0.0, "v": 0.0}, duration=(0.5, 10)), {"duration": 3.0}),
    Case("P25", "A", 30.00937940, lambda: _cart(bounds=(-2, 1), minimize="duration", initial={"x": 0.0, "v": 0.0}, intervals=40,
                                                final={"x": 300.0, "v": 0.0}, duration=(5, 100)), {"duration": 40.0}),
    Case("P27a", "A", 0.7539876, lambda: _cart(bounds=(-1, 1), minimize=Integral("squares"), initial={"x": 0.0, "v": 1.0},
                                               duration=5, intervals=100)),
    Case("P27b", "A", 0.2684420, lambda: _cart(bounds=(-1, 1), minimize=Integral("square"), initial={"x": 0.0, "v": 1.0},
                                               duration=5, intervals=100)),
    Case("P04", "B", 0.4777027, lambda: _catalyst(12), starts=4, tolerance=1e-3),
    Case("P06", "B", 0.1331384, _luus, starts=10, tolerance=1e-3),
    Case("P11a", "B", 0.8164803, lambda: _lee(5.0, True, 100), starts=4, tolerance=1e-3),
    Case("P11b", "B", 1.0095976, lambda: _lee(0.0, True, 40), starts=4, tolerance=1e-3),
    Case("P11c", "B", 0.8802955, lambda: _lee(2.5, True, 40), starts=4, tolerance=1e-3),
    Case("P12", "B", 32.6911, lambda: Trajectory(bio.ParkRamirez(), maximize="product", moves="feed", intervals=120, duration=15),
         starts=10, tolerance=1e-3),
    Case("P13a", "B", 20840.97, lambda: _ethanol((50, 70)), starts=10, tolerance=1e-3),
    Case("P13b", "B", 20445.16, lambda: _ethanol(54), starts=10, tolerance=1e-3),
    Case("P13c", "B", 20840.86, lambda: _ethanol(61.17), starts=10, tolerance=1e-3),
    Case("P13d", "B", 20779.03, lambda: _ethanol(63), starts=10, tolerance=1e-3),
    Case("P22", "B", 1247.87066, lambda: Trajectory(
        mech.HangGlider(), maximize="x", moves="lift", intervals=100, duration=(50, 150),
        final={"y": 900.0, "vx": 13.23, "vy": -1.288}, limits={"x": (0, None), "vx": (0, None)}), {"duration": 100.0}, 4, 1e-3),
    Case("P26", "B", 0.1699308, lambda: Trajectory(mech.JacobsonLele(), minimize=Integral("cost"), moves="u", intervals=100,
                                                   duration=1, limits={"beyond": (None, 0)}), tolerance=1e-3),
    Case("P07b", "C", 21.8233834, lambda: _four(["u1", "u2", "u3", "u4"])),
    Case("P09", "C", 0.6643864, lambda: Trajectory(reactors.Denbigh(), maximize="c", moves="temperature", intervals=30,
                                                   duration=1000), starts=10),
    Case("P10", "C", 6.1514753, lambda: _lee(0.0, False, 40), starts=4),
    Case("P14a", "C", 87.8256, lambda: _penicillin(132.14, 60)),
    Case("P14b", "C", 88.044, lambda: _penicillin((100, 150), 40)),
    Case("P28", "C", 0.5545770, lambda: Trajectory(
        mech.Steering(), minimize="duration", moves="angle", intervals=100, duration=(0.1, 2),
        final={"y": 5.0, "vx": 45.0, "vy": 0.0}), {"duration": 0.6}),
)


def case(name: str) -> Case:
    """One case by its number."""
    return next(c for c in CASES if c.name == name)
