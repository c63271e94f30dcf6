"""simulate_line: replications of a line on threads, with confidence intervals."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twin import errors
from twin.engine import load_text, records, workers
from twin.figures import new_figure
from twin.lines import events, in_turn, random_numbers
from twin.lines.line import Line, Station, law_of
from twin.status import Status

STATES = ("idle", "busy", "blocked", "down", "setting up")
KEPT_DEPARTURES = 100_000


@dataclasses.dataclass(frozen=True, eq=False)
class LineResult:
    """What a line did.

    Attributes
    ----------
    line
        What was simulated.
    status
        How it ended.
    throughput
        Good parts per time unit of each replication, after the warm-up.
    good, finished
        Good and all parts of each replication.
    in_line
        Mean number of parts in the line of each replication.
    lost
        Arrivals of each replication that found no place.
    duration
        Counted time of each replication.
    shares
        Share of time by station and state, mean over replications.
    made
        Good parts by product, mean over replications.
    departures
        Times at which parts left in the first replication.
    events
        Events of all replications.
    """

    line: Line
    status: Status
    throughput: Any
    good: Any
    finished: Any
    in_line: Any
    lost: Any
    duration: Any
    shares: Mapping[str, Mapping[str, float]]
    made: Mapping[str, float]
    departures: Any
    events: int

    def interval(self, name: str = "throughput", level: float = 0.95) -> tuple[float, float]:
        """Confidence interval of the mean of `throughput`, `in_line`, `good` or `lost`, from the replications; `level` such as
        0.95.
        """
        from scipy.stats import t

        values = getattr(self, name)
        n = len(values)
        if n < 2:
            raise errors.SpecError(f"A confidence interval needs 2 replications or more. This result has {n}.")
        half = float(t.ppf(0.5 + level / 2, n - 1)) * float(values.std(ddof=1)) / math.sqrt(n)
        mean = float(values.mean())
        return mean - half, mean + half

    def chance(self, least: float) -> float:
        """Share of the replications that make at least so many good parts."""
        return float((self.good >= least).mean())

    def bottleneck(self) -> str:
        """The station whose machines are busy, down or setting up most of the time: the one that others wait for."""
        return max(self.shares, key=lambda s: sum(self.shares[s][k] for k in ("busy", "down", "setting up")))

    def table(self) -> str:
        """Shares of time by station."""
        head = f"{'station':16s}" + "".join(f"{s:>12s}" for s in STATES)
        return "\n".join([head, *(f"{n:16s}" + "".join(f"{100 * v:11.1f}%" for v in row.values()) for n,
                                  row in self.shares.items())])

    def to_frame(self) -> Any:
        """Shares of time by station as a pandas DataFrame."""
        import pandas as pd

        return pd.DataFrame(self.shares).T

    def plot(self) -> Any:
        """A matplotlib figure: shares of time of each station as bars."""
        figure = new_figure(8, 0.5 * len(self.shares) + 1.4)
        axis = figure.subplots()
        left = [0.0] * len(self.shares)
        for state, color in zip(STATES, ("0.85", "#4477AA", "#CCBB44", "#EE6677", "#AA3377"), strict=True):
            values = [100 * row[state] for row in self.shares.values()]
            axis.barh(list(self.shares), values, left=left, color=color, label=state)
            left = [a + b for a, b in zip(left, values, strict=True)]
        axis.invert_yaxis()
        axis.set_xlabel("share of time [%]")
        axis.legend(ncols=5, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        return figure


def simulate_line(line: Line, *, duration: float, warm_up: float = 0.0, replications: int = 1, parts: int = 0, seed: int = 0,
                  threads: int | None = None) -> LineResult:
    """Simulate a line event by event, many times over.

    Parameters
    ----------
    line
        The line; all machines are idle and all buffers empty at the start.
    duration
        End of time.
    warm_up
        Time at the start that is not counted.
    replications
        How often, each with random numbers of its own; replication k of a seed is the same whatever their number.
    parts
        Stop a replication after so many counted parts; 0: at the end of time.
    seed
        Seed of the random numbers.
    threads
        Threads; all processors without it.

    Returns
    -------
    LineResult
        Throughput, shares of time, departures.

    Raises
    ------
    twin.errors.SpecError
        A duration or a number is not positive.

    Notes
    -----
    A part that is finished leaves its machine when there is a place before the next station; until then the machine is blocked. A
    breakdown interrupts the part, which goes on after the repair. A machine that is idle or blocked does not age.

    Examples
    --------
    >>> from twin.lines import Line, Station
    >>> result = simulate_line(Line([Station("fill", 1.0), Station("seal", 2.0)]), duration=100)
    >>> float(result.throughput[0])
    0.49
    """
    import numpy as np

    if not (math.isfinite(duration) and 0 <= warm_up < duration):
        raise errors.SpecError(f"The duration is {duration:g} and the warm-up {warm_up:g} {line.time_unit}. Expected 0 <= "
                               "warm_up < duration.")
    if replications < 1:
        raise errors.SpecError(f"replications is {replications}. Expected 1 or more.")
    shared = _results(line, replications, min(KEPT_DEPARTURES, _most_parts(line, duration)))
    streams = np.array([_stream(seed, k) for k in range(replications)], np.int64)
    number = 1 if replications == 1 else max(1, min(threads or workers.default_threads(), replications))
    chunk = max(1, min(64, replications // (4 * number)))
    run = _entry(plain(line) and not parts)
    members = [_record(line, duration, warm_up, parts, streams, shared) for _ in range(number)]
    begins = itertools.count(0, chunk)

    def job(record: events.LineRecord, slots: Any) -> Callable[[], None]:
        def work() -> None:
            for first in begins:
                if first >= replications or record.span[2]:
                    return
                record.span[0], record.span[1] = first, min(first + chunk, replications)
                run(record, slots)

        return work

    def stop() -> None:
        for record, _ in members:
            record.span[2] = 1

    stopped = workers.wait_for([job(*m) for m in members], stop)
    if stopped:
        raise KeyboardInterrupt
    return _result(line, shared, replications, warm_up)


def plain(line: Line) -> bool:
    """True where parts follow each other one by one, so that no list of events is needed."""
    return line.arrivals is None and all(s.machines == 1 and s.batch == 1 and s.good == 1.0 for s in line.stations)


def _entry(in_order: bool) -> Callable[[events.LineRecord, Any], int]:
    sources = load_text.text_of([records, random_numbers, events, *([in_turn] if in_order else [])])
    compiled = load_text.compiled(sources, "run_in_turn" if in_order else "run_line", scalar=True)
    return lambda record, slots: int(compiled(slots.ctypes.data))


def _stream(seed: int, replication: int) -> list[int]:
    import numpy as np

    words = np.random.SeedSequence([seed, replication]).generate_state(6)
    tops = (random_numbers.MODULUS_1, random_numbers.MODULUS_2)
    return [1 + int(w) % (tops[i // 3] - 1) for i, w in enumerate(words)]


def _most_parts(line: Line, duration: float) -> int:
    least = min(min(law_of(v).mean for v in _times(line, s).values()) / s.machines / s.batch for s in line.stations)
    return int(min(KEPT_DEPARTURES, 4 * duration / max(least, 1e-9))) + 1000


def _times(line: Line, station: Station) -> Mapping[str, Any]:
    return station.time if isinstance(station.time, Mapping) else dict.fromkeys(line.product_names, station.time)


def _results(line: Line, replications: int, kept: int) -> dict[str, Any]:
    import numpy as np

    machines = sum(s.machines for s in line.stations)
    return {"times": np.zeros((replications, machines * 5)), "totals": np.zeros((replications, 6)), "log": np.zeros((kept, 2)),
            "made": np.zeros((replications, len(line.product_names)), np.int64)}


def _record(line: Line, duration: float, warm_up: float, parts: int, streams: Any,
            shared: Mapping[str, Any]) -> tuple[events.LineRecord, Any]:
    import numpy as np

    names, stations = line.product_names, line.stations
    owner = [k for k, s in enumerate(stations) for _ in range(s.machines)]
    m, n, products = len(owner), len(stations), len(names)
    never = (-1.0, 0.0, 0.0, 0.0)

    def whole(values: Sequence[int] | Any) -> Any:
        return np.array(values, np.int64)

    setup = np.zeros((n * products, products))
    for k, s in enumerate(stations):
        for (a, b), time in s.setup.items():
            setup[k * products + names.index(a), names.index(b)] = time
    places = max(s.buffer for s in stations)
    arrays = {
        "size": whole([n, m, products, len(line.products), parts, len(shared["log"])]),
        "horizon": np.array([duration, warm_up], float),
        "station": whole(owner), "first": whole([owner.index(k) for k in range(n)] + [m]),
        "room": whole([s.buffer for s in stations]),
        "batch": whole([s.batch for s in stations]),
        "work": np.array([law_of(_times(line, s)[p]).row for s in stations for p in names], float),
        "life": np.array([never if s.life is None else law_of(s.life).row for s in stations], float),
        "repair": np.array([law_of(s.repair).row for s in stations], float), "setup": setup,
        "arrival": np.array([never if line.arrivals is None else law_of(line.arrivals).row], float),
        "sequence": whole([names.index(p) for p in line.products]), "good": np.array([s.good for s in stations], float),
        "state": whole([0] * m), "clock": np.zeros(m), "left": np.zeros(m), "alive": np.zeros(m), "since": np.zeros(m),
        "product": whole([0] * m),
        "was": whole([0] * m), "queue": np.zeros((n, places), np.int64),
        "head": whole([0] * n), "held": whole([0] * n), "taken": np.zeros((n, places)),
        "stream": whole([0] * 7), "pool": np.zeros(2 * random_numbers.AHEAD),
        "streams": streams, "span": whole([0, 0, 0]), "tally": whole([0] * 5), **shared,
    }
    record = events.LineRecord(**arrays)  # type: ignore[arg-type]
    return record, load_text.slots_of(list(record))


def _result(line: Line, shared: Mapping[str, Any], replications: int, warm_up: float) -> LineResult:
    totals = shared["totals"]
    duration = totals[:, 2] - warm_up
    owner = [s.name for s in line.stations for _ in range(s.machines)]
    times = shared["times"].reshape(replications, len(owner), 5)
    share = (times / duration[:, None, None]).mean(axis=0)
    shares = {s.name: {state: float(share[[k for k, o in enumerate(owner) if o == s.name], j].mean()) for j,
                       state in enumerate(STATES)}
              for s in line.stations}
    log = shared["log"]
    left = log[:, 0][log[:, 0] > 0]
    return LineResult(line, Status.SUCCESS, totals[:, 1] / duration, totals[:, 1].copy(), totals[:, 0].copy(),
                      totals[:, 4].copy(),
                      totals[:, 5].copy(), duration, shares,
                      dict(zip(line.product_names, shared["made"].mean(axis=0).tolist(), strict=True)),
                      left.copy(), int(totals[:, 3].sum()))
