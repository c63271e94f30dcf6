"""The penicillin records of the frozen plant, the Bajpai-Reuss model for them, and a network that knows no fermentation."""

from __future__ import annotations

import dataclasses
import importlib.util
import itertools
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import twin

LEFT_OUT = ("6", "7")
SIGNALS = ("biomass", "product", "substrate")
NOISE = {"biomass": (0.02, "3 %"), "product": (0.003, "3 %"), "substrate": (0.003, "3 %")}
PLANT = Path(__file__).parents[2] / "examples" / "data" / "penicillin_plant.py"
TAGS = {"feed_l_h": ("feed", "l/h"), "temperature_K": ("temperature", "K"), "volume_l": ("volume", "l"),
        "biomass_g_l": ("biomass", "g/l"), "substrate_g_l": ("substrate", "g/l"), "product_g_l": ("product", "g/l")}
CUTHRELL = "Cuthrell, Biegler, Comput. Chem. Eng. 13 (1989) 49-62, doi:10.1016/0098-1354(89)87005-8"


class FedBatch(twin.DynamicModel):
    """Bajpai and Reuss (1981) as `processes.bioreactor.BajpaiReuss`, with a feed in l/h.

    The terms also see the time since inoculation and the temperature, which were recorded and which the mechanism ignores.
    """

    time_unit = "h"

    biomass = twin.state("g/l", lower=0, upper=60, nominal=10, per="volume", doc="cell dry mass")
    product = twin.state("g/l", lower=0, upper=50, nominal=1, per="volume", doc="penicillin")
    substrate = twin.state("g/l", lower=0, upper=60, nominal=1, per="volume", doc="glucose")
    volume = twin.state("l", lower=1, upper=200, nominal=100, doc="broth")
    feed = twin.input("l/h", lower=0, upper=1, nominal=0.05, doc="glucose feed")
    temperature = twin.disturbance("K", lower=290, upper=305, nominal=298, doc="broth temperature")

    mu_max = twin.parameter(0.11, "1/h", bounds=(0.01, 1), scale="log", source=CUTHRELL, doc="maximum specific growth rate")
    k_x = twin.parameter(0.006, "g/g", bounds=(1e-4, 2), scale="log", source=CUTHRELL, doc="Contois saturation")
    mu_product = twin.parameter(0.0055, "1/h", bounds=(1e-4, 0.1), scale="log", source=CUTHRELL, doc="maximum production rate")
    k_p = twin.parameter(1e-4, "g/l", bounds=(1e-6, 1), scale="log", source=CUTHRELL, doc="production saturation")
    k_i = twin.parameter(0.1, "g/l", bounds=(1e-3, 10), scale="log", source=CUTHRELL, doc="substrate inhibition of production")
    k_hydrolysis = twin.parameter(0.01, "1/h", bounds=(1e-4, 1), scale="log", source=CUTHRELL, doc="product degradation")
    y_xs = twin.parameter(0.47, "g/g", bounds=(0.1, 1), source=CUTHRELL, doc="biomass from substrate")
    y_ps = twin.parameter(1.2, "g/g", bounds=(0.3, 3), source=CUTHRELL, doc="product from substrate")
    m_x = twin.parameter(0.029, "1/h", bounds=(1e-4, 0.2), scale="log", source=CUTHRELL, doc="substrate maintenance")
    k_m = twin.parameter(1e-4, "g/l", bounds=(1e-6, 1), scale="log", source=CUTHRELL, doc="substrate at half maintenance")
    feed_substrate = twin.parameter(600.0, "g/l", bounds=(1, 900), source="records", doc="substrate in the feed")

    @twin.term("1/h", lower=0, upper=0.5, vanishes_with=("substrate",))
    def growth_rate(self, biomass: Any, substrate: Any, temperature: Any, time: Any) -> Any:
        """Specific growth rate."""
        return self.mu_max * substrate / (self.k_x * biomass + substrate)

    @twin.term("1/h", lower=0, upper=0.05, vanishes_with=("substrate",))
    def production_rate(self, substrate: Any, time: Any) -> Any:
        """Specific production rate."""
        return self.mu_product * substrate / (self.k_p + substrate * (1 + substrate / self.k_i))

    def rhs(self, s: Any) -> Any:
        growth = self.growth_rate(s.biomass, s.substrate, s.temperature, s.time) * s.biomass
        made = self.production_rate(s.substrate, s.time) * s.biomass
        maintenance = self.m_x * s.substrate / (self.k_m + s.substrate) * s.biomass
        d = s.feed / s.volume
        return {
            "biomass": growth - d * s.biomass,
            "product": made - self.k_hydrolysis * s.product - d * s.product,
            "substrate": -growth / self.y_xs - made / self.y_ps - maintenance + d * (self.feed_substrate - s.substrate),
            "volume": s.feed,
        }

    def initial(self) -> Any:
        return {"biomass": 0.1, "product": 0.0, "substrate": 15.0, "volume": 100.0}


def plant() -> Any:
    """The plant of the example, as a module."""
    if "penicillin_plant" not in sys.modules:
        spec: Any = importlib.util.spec_from_file_location("penicillin_plant", PLANT)
        sys.modules["penicillin_plant"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["penicillin_plant"])
    return sys.modules["penicillin_plant"]


def records(seed: int) -> twin.Data:
    """The eight batches of a seed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "records.csv"
        plant().main(seed, path)
        return twin.read(path, tags=TAGS, time_column="time_h", time_unit="h", run_column="batch")


def exact(batch: str, times: Any) -> dict[str, Any]:
    """Biomass and product of a batch without measurement noise."""
    grid, states, _ = plant().batch(plant().SETTINGS[int(batch)])
    return {"biomass": np.interp(times, grid, states[0]), "product": np.interp(times, grid, states[2])}


def features(run: Any, times: Any) -> Any:
    """What a network may look at, at each time: age, feed, volume fed so far, temperature, time since the feed began."""
    feed, temperature = run["feed"], run["temperature"]
    grid, rate = feed.times, feed.values
    total = np.concatenate([[0.0], np.cumsum(rate[:-1] * np.diff(grid))])
    began = float(grid[np.flatnonzero(rate > 0)[0]]) if (rate > 0).any() else float(grid[-1])
    fed = np.maximum(np.asarray(times) - began, 0.0)
    return np.stack([times, feed.at(times), np.interp(times, grid, total), temperature.at(times), fed,
                     np.full(len(times), began)], axis=1)


@dataclasses.dataclass(frozen=True)
class Network:
    """Networks from `features` to the logarithms of the signals; runs left out chose their decay."""

    members: Any
    center: Any
    width: Any
    shift: Any
    scale: Any

    def __call__(self, run: Any, times: Any) -> dict[str, Any]:
        """Values of the signals at the times."""
        seen = (features(run, times) - self.center) / self.width
        out = np.mean([_forward(w, seen) for w in self.members], axis=0) * self.scale + self.shift
        return {s: np.exp(out[:, k]) - FLOOR[s] for k, s in enumerate(SIGNALS)}


FLOOR = {"biomass": 0.2, "product": 0.02, "substrate": 0.02}
HIDDEN = (16, 16)
DECAYS = (1e-3, 1e-2, 1e-1)


def _shapes(n: int) -> list[tuple[int, int]]:
    widths = [n, *HIDDEN, len(SIGNALS)]
    return list(itertools.pairwise(widths))


def _forward(flat: Any, seen: Any, xp: Any = np) -> Any:
    h, at = seen, 0
    layers = _shapes(seen.shape[1])
    for k, (a, b) in enumerate(layers):
        w, c = flat[at:at + a * b].reshape(a, b), flat[at + a * b:at + a * b + b]
        at += a * b + b
        h = h @ w + c
        h = xp.tanh(h) if k + 1 < len(layers) else h
    return h


def train_network(runs: Any, members: int = 5) -> Network:
    """Train on runs: L-BFGS on all samples at once; the decay that predicts runs left out best."""
    rows = []
    for run in runs:
        t = run["biomass"].times
        values = np.stack([np.log(np.maximum(run[s].values, 0.0) + FLOOR[s]) for s in SIGNALS], axis=1)
        rows.append((features(run, t), values))
    x, y = (np.concatenate([r[i] for r in rows]) for i in (0, 1))
    center, width, shift, scale = x.mean(0), x.std(0) + 1e-9, y.mean(0), y.std(0)
    scaled = [((a - center) / width, (b - shift) / scale) for a, b in rows]
    fit = _fitter()
    lost = {}
    for decay in DECAYS:
        errors = []
        for k in range(len(scaled)):
            weights = fit([r for i, r in enumerate(scaled) if i != k], decay, 0)
            errors.append(float(np.mean((_forward(weights, scaled[k][0]) - scaled[k][1]) ** 2)))
        lost[decay] = float(np.mean(errors))
    best = min(lost, key=lambda d: lost[d])
    return Network([fit(scaled, best, seed) for seed in range(members)], center, width, shift, scale)


def _fitter() -> Any:
    import jax
    import jax.numpy as jnp
    from scipy.optimize import minimize

    @jax.jit
    def loss(flat: Any, x: Any, y: Any, w: Any, decay: Any) -> Any:
        return jnp.sum(w[:, None] * (_forward(flat, x, jnp) - y) ** 2) / jnp.sum(w) + decay * jnp.mean(flat**2)

    slope = jax.jit(jax.grad(loss))

    def fit(rows: Any, decay: float, seed: int) -> Any:
        x, y = (np.concatenate([r[i] for r in rows]) for i in (0, 1))
        weights = np.ones(len(x))
        short = -len(x) % 512  # one shape for all folds: compiled once
        x, y, weights = (np.concatenate([v, np.zeros((short, *v.shape[1:]))]) for v in (x, y, weights))
        random = np.random.default_rng(seed)
        start = np.concatenate([np.concatenate([random.normal(size=a * b) / np.sqrt(a), np.zeros(b)])
                                for a, b in _shapes(x.shape[1])])
        with jax.enable_x64(True):
            return minimize(lambda f: float(loss(f, x, y, weights, decay)), start, method="L-BFGS-B",
                            jac=lambda f: np.asarray(slope(f, x, y, weights, decay)), options={"maxiter": 500}).x

    return fit
