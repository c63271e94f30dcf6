"""What a temperature profile is judged by, the limits of pastes and parts, and how well a profile stays within them."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from twin import errors

UNITS = {"peak": "degC", "steepest_rise": "degC/s", "steepest_fall": "degC/s", "soak_time": "s", "time_above_liquidus": "s",
         "ramp_to_peak": "degC/s", "time_to_peak": "s", "area_to_peak": "degC s", "spread": "degC"}
JEDEC = "IPC/JEDEC J-STD-020D, as copied by vendors' data sheets"
TOUCH = 1e-5  # of a limit: an optimum stands on its limits to about this
SMALLEST = 2  # points of a profile


@dataclasses.dataclass(frozen=True)
class ProfileLimits:
    """Limits of a temperature profile; a table of the user's, with presets.

    A board must meet what its paste and its parts ask for. J-STD-020 qualifies parts: a board stays *below* its classification
    temperature.

    Attributes
    ----------
    rows
        {metric: (lower, upper)}, None where there is no limit; the metrics and units are those of `ProfileMetrics`.
    liquidus
        Temperature above which the solder is liquid, degC.
    soak
        The two temperatures between which the soak time counts, on the way up, degC.
    source
        Where the limits come from.

    Examples
    --------
    >>> limits = ProfileLimits({"peak": (240, 250), "time_above_liquidus": (40, 90)}, liquidus=217.0)
    >>> limits.rows["peak"]
    (240, 250)
    """

    rows: Mapping[str, tuple[float | None, float | None]]
    liquidus: float = 217.0
    soak: tuple[float, float] = (150.0, 200.0)
    source: str = ""

    def __post_init__(self) -> None:
        for name, (low, high) in self.rows.items():
            if name not in UNITS:
                raise errors.unknown("metric", name, "ProfileLimits", UNITS)
            if low is not None and high is not None and not low < high:
                raise errors.SpecError(f"The limits of {name} are {low:g} to {high:g} {UNITS[name]}. Expected lower < upper.")
        if not self.soak[0] < self.soak[1] < self.liquidus:
            raise errors.SpecError(f"Soak is {self.soak[0]:g} to {self.soak[1]:g} degC, liquidus {self.liquidus:g} degC. "
                                   "Expected them to rise in this order.")

    @classmethod
    def contest(cls) -> ProfileLimits:
        """Limits of the CUMCM 2020 A case: slope 3 degC/s, soak 60 to 120 s, 40 to 90 s above 217, peak 240 to 250 degC."""
        return cls({"steepest_rise": (None, 3.0), "steepest_fall": (None, 3.0), "soak_time": (60.0, 120.0),
                    "time_above_liquidus": (40.0, 90.0), "peak": (240.0, 250.0)}, 217.0, (150.0, 190.0), "CUMCM 2020 problem A")

    @classmethod
    def j_std_020(cls, classification: float = 245.0) -> ProfileLimits:
        """Lead-free part, as its user sees it: peak at most the classification temperature, 60 to 150 s above 217 degC."""
        if classification not in (245.0, 250.0, 260.0):
            raise errors.SpecError(f"classification is {classification:g} degC. Expected 245, 250 or 260 degC, by volume and "
                                   "thickness of the part.")
        return cls({"peak": (None, classification), "soak_time": (60.0, 120.0), "ramp_to_peak": (None, 3.0),
                    "time_above_liquidus": (60.0, 150.0), "steepest_fall": (None, 6.0), "time_to_peak": (None, 480.0)},
                   217.0, (150.0, 200.0), JEDEC)

    @classmethod
    def paste_sac305(cls) -> ProfileLimits:
        """A common window of SAC305 pastes [textbook]; take the data sheet of your paste."""
        return cls({"peak": (235.0, 250.0), "soak_time": (60.0, 120.0), "steepest_rise": (None, 2.5),
                    "time_above_liquidus": (45.0, 90.0), "steepest_fall": (None, 4.0)}, 217.0, (150.0, 200.0), "[textbook]")

    @classmethod
    def paste_snpb(cls) -> ProfileLimits:
        """A common window of eutectic tin-lead pastes [textbook]; take the data sheet of your paste."""
        return cls({"peak": (205.0, 225.0), "soak_time": (60.0, 120.0), "steepest_rise": (None, 2.5),
                    "time_above_liquidus": (45.0, 90.0), "steepest_fall": (None, 4.0)}, 183.0, (100.0, 150.0), "[textbook]")

    def both(self, other: ProfileLimits) -> ProfileLimits:
        """What meets these limits and the other ones, such as paste and part.

        Raises
        ------
        twin.errors.SpecError
            They exclude each other; the metric is named.
        """
        if (self.liquidus, self.soak) != (other.liquidus, other.soak):
            raise errors.SpecError(f"The limits of {self.source or 'one table'} count from {self.liquidus:g} degC and soak "
                                   f"{self.soak}, those of {other.source or 'the other'} from {other.liquidus:g} degC and "
                                   f"{other.soak}. Restate one of them for the same temperatures.")
        rows = dict(self.rows)
        for name, (low, high) in other.rows.items():
            a, b = rows.get(name, (None, None))
            lows, highs = [v for v in (a, low) if v is not None], [v for v in (b, high) if v is not None]
            rows[name] = (max(lows) if lows else None, min(highs) if highs else None)
            if lows and highs and not max(lows) < min(highs):
                sources = f"{self.source or 'one table'}; {other.source or 'the other'}"
                raise errors.SpecError(f"The limits exclude each other: {name} at least {max(lows):g} and at most {min(highs):g} "
                                       f"{UNITS[name]} ({sources}). Choose another paste or part.", name=name)
        return ProfileLimits(rows, self.liquidus, self.soak, f"{self.source}; {other.source}")

    def window_index(self, metrics: Mapping[str, Any]) -> Any:
        """Process window index in percent: 0 in the middle of all limits, 100 at the nearest one; one-sided limits count from 0.

        Parameters
        ----------
        metrics
            {metric: value or values}, as `profile_metrics` gives them.
        """
        worst: Any = 0.0
        for share in shares(self.rows, metrics).values():
            worst = share * (share > worst) + worst * (share <= worst)
        return 100.0 * worst

    def misses(self, metrics: Mapping[str, float]) -> list[str]:
        """A sentence for each limit that is not met."""
        return missed(self.rows, metrics, UNITS)

    def tightened(self, **amounts: float) -> ProfileLimits:
        """The same limits moved inward, so that a recipe keeps room for what the model and the oven do not know.

        Parameters
        ----------
        amounts
            By metric, in its unit: `peak=2.0` asks for two degrees of room on both sides.

        Examples
        --------
        >>> ProfileLimits.contest().tightened(peak=2.0).rows["peak"]
        (242.0, 248.0)
        """
        rows = dict(self.rows)
        for name, amount in amounts.items():
            if name not in rows:
                raise errors.unknown("metric", name, "the limits", rows)
            low, high = rows[name]
            rows[name] = (low if low is None else low + amount, high if high is None else high - amount)
            if low is not None and high is not None and not low + amount < high - amount:
                raise errors.SpecError(f"Room of {amount:g} {UNITS[name]} on both sides leaves nothing of the limits of {name}, "
                                       f"{low:g} to {high:g} {UNITS[name]}. Take less, or make the process more certain.",
                                       name=name)
        return dataclasses.replace(self, rows=rows)


Rows = Mapping[str, tuple[float | None, float | None]]


def shares(rows: Rows, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """How much of each window is used: 0 in its middle, 1 at a limit; a window without lower limit counts from zero."""
    found = {}
    for name, (low, high) in rows.items():
        if high is not None:
            value = _metric(metrics, name)
            found[name] = value / high if low is None else abs(value - 0.5 * (low + high)) / (0.5 * (high - low))
    return found


def missed(rows: Rows, metrics: Mapping[str, float], units: Mapping[str, str]) -> list[str]:
    """A sentence for each limit that is not met by more than a hundred thousandth of its size."""
    found = []
    for name, (low, high) in rows.items():
        value, unit = _metric(metrics, name), units[name]
        touch = TOUCH * max(abs(v) for v in (low, high, 1e-12) if v is not None)
        if not math.isfinite(value) or (low is not None and value < low - touch) or (high is not None and value > high + touch):
            text = " to ".join("any" if v is None else f"{v:g}" for v in (low, high))
            found.append(f"{name} is {value:.5g} {unit}. Expected {text} {unit}.")
    return found


def _metric(metrics: Mapping[str, Any], name: str) -> Any:
    if name not in metrics:
        raise errors.DataError(f"The limits ask for {name}, which this profile does not tell. It tells {', '.join(metrics)}."
                               + (" Judge a board with several parts." if name == "spread" else ""), name=name)
    return metrics[name]


def profile_metrics(times: Any, temperature: Any, limits: ProfileLimits, *, slope_over: float = 0.0) -> dict[str, Any]:
    """What a temperature profile is judged by.

    Parameters
    ----------
    times
        Seconds, shape (times,), rising.
    temperature
        degC, shape (times,) or (profiles, times), a second apart or closer: straight lines between the points, and a parabola
        through the highest three, so that the metrics move smoothly with the recipe.
    limits
        Says from where to count.
    slope_over
        Seconds over which a slope is taken. 0 takes neighboring points: right for a model, wrong for a thermocouple, whose noise
        of 0.25 degC makes slopes of 1 degC/s of points half a second apart; 5 s suits measured profiles.

    Returns
    -------
    dict
        By name, floats or one value a profile: peak, steepest rise and fall, soak time on the way up, time above liquidus,
        mean ramp from liquidus to peak, time to peak, area above liquidus up to the peak.

    Raises
    ------
    twin.errors.DataError
        A missing value, or times that do not rise.

    Examples
    --------
    >>> found = profile_metrics([0, 100, 200], [25, 245, 25], ProfileLimits({}, soak=(150.0, 190.0)))
    >>> round(found["peak"]), round(found["steepest_rise"], 2), round(found["soak_time"], 1)
    (245, 2.2, 18.2)
    """
    import numpy as np

    t, y = np.asarray(times, dtype=float), np.asarray(temperature, dtype=float)
    single = y.ndim == 1
    rows = np.atleast_2d(y)
    if t.ndim != 1 or rows.shape[1] != len(t) or len(t) < SMALLEST:
        raise errors.DataError(f"A profile has {len(t)} times and temperatures of shape {y.shape}. Expected one for each time.")
    if not np.isfinite(t).all() or not (np.diff(t) > 0).all():
        raise errors.DataError("The times of a profile must rise. Sort them and leave out doubled ones.")
    if not np.isfinite(rows).all():
        k = int(np.argwhere(~np.isfinite(rows))[0][1])
        raise errors.DataError(f"A temperature is missing at {t[k]:g} s: the thermocouple was lost or not read. Repeat the "
                               "profile, or cut it before.")
    slope = np.diff(rows, axis=1) / np.diff(t) if slope_over <= 0 else _slopes(t, rows, slope_over)
    top = rows.argmax(axis=1)
    peak, summit = _summit(t, rows, top)
    above, area = _above(t, rows, limits.liquidus, None)[0], _above(t, rows, limits.liquidus, top)[1]
    area = area + (summit - t[top]) * np.maximum(peak - limits.liquidus, 0.0)
    low, high, liquid = (_first_up(t, rows, level) for level in (*limits.soak, limits.liquidus))
    with np.errstate(invalid="ignore", divide="ignore"):
        ramp = (peak - limits.liquidus) / (summit - liquid)
    found = {"peak": peak, "steepest_rise": slope.max(axis=1), "steepest_fall": -slope.min(axis=1), "soak_time": high - low,
             "time_above_liquidus": above, "ramp_to_peak": np.where(peak > limits.liquidus, ramp, np.nan),
             "time_to_peak": summit - t[0], "area_to_peak": area}
    return {n: float(v[0]) for n, v in found.items()} if single else found


def _slopes(t: Any, rows: Any, width: float) -> Any:
    """Slopes over a width, from each point that has so much of the profile before it."""
    import numpy as np

    if width > t[-1] - t[0]:
        raise errors.DataError(f"slope_over is {width:g} s, and the profile lasts {t[-1] - t[0]:g} s. Expected less.")
    later = t[t >= t[0] + width]
    before = np.array([np.interp(later - width, t, row) for row in rows])
    return (rows[:, len(t) - len(later):] - before) / width


def _summit(t: Any, rows: Any, top: Any) -> tuple[Any, Any]:
    """Height and time of the vertex of the parabola through the highest point and its neighbors."""
    import numpy as np

    picked, middle = np.arange(len(rows)), np.clip(top, 1, rows.shape[1] - 2) if rows.shape[1] > SMALLEST else top
    y = rows[picked, top]
    inside = middle == top
    before, after = np.maximum(middle - 1, 0), np.minimum(middle + 1, rows.shape[1] - 1)
    a, b, left, right = rows[picked, before], rows[picked, after], t[top] - t[before], t[after] - t[top]
    even = inside & (np.abs(left - right) < 1e-9 * (left + right)) & (a - 2 * y + b < 0)
    shift = np.where(even, 0.5 * (a - b) / np.where(even, a - 2 * y + b, 1.0), 0.0)
    return y - 0.25 * (a - b) * shift, t[top] + shift * left


def _first_up(t: Any, rows: Any, level: float) -> Any:
    """When each profile first rises through a level; infinity where it never does."""
    import numpy as np

    before, after = rows[:, :-1], rows[:, 1:]
    crossing = (before < level) & (after >= level)
    at = crossing.argmax(axis=1)
    picked = np.arange(len(rows))
    a, b = before[picked, at], after[picked, at]
    share = np.where(crossing.any(axis=1), (level - a) / np.where(b > a, b - a, 1.0), np.nan)
    found = t[at] + share * (t[at + 1] - t[at])
    return np.where(crossing.any(axis=1), found, np.inf)


def _above(t: Any, rows: Any, level: float, stop: Any) -> tuple[Any, Any]:
    """Time and area above a level, exactly for straight lines; up to the point `stop` of each profile where given."""
    import numpy as np

    a, b = rows[:, :-1] - level, rows[:, 1:] - level
    width = np.diff(t)[None, :] * np.ones_like(a)
    if stop is not None:
        width = width * (np.arange(a.shape[1])[None, :] < np.asarray(stop)[:, None])
    high, low = np.maximum(a, b), np.minimum(a, b)
    span = np.where(high > low, high - low, 1.0)
    share = np.where(low >= 0, 1.0, np.where(high <= 0, 0.0, high / span))
    mean = np.where(low >= 0, 0.5 * (a + b), 0.5 * np.maximum(high, 0.0))
    return (share * width).sum(axis=1), (share * mean * width).sum(axis=1)
