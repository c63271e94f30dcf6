"""State-task networks of the literature.

Kondili, Pantelides and Sargent 1993 (DOI 10.1016/0098-1354(93)80015-F) in the fixed-time version, and the two examples of
Ierapetritou and Floudas 1998 (DOI 10.1021/ie970927g) with times that depend on the batch size.
"""

from __future__ import annotations

from optimizers.schedule import Fit, Material, Network, Process, Unit

UNITS = ("heater", "reactor 1", "reactor 2", "still")


def fixed_times(horizon: int, *, feed: float = 500.0, left_over: float = -1.0, plain: bool = False) -> Network:
    """The fixed-time version: value 10 for each product, `left_over` for intermediates at the end."""
    materials = [Material(f"feed {k}", feed, capacity=feed) for k in "ABC"]
    materials += [Material("hot A", capacity=100, price=left_over), Material("int AB", capacity=200, price=left_over),
                  Material("int BC", capacity=150, price=left_over), Material("impure E", capacity=100, price=left_over)]
    materials += [Material("product 1", capacity=500, price=10), Material("product 2", capacity=500, price=10)]
    reactors = {"reactor 1": 80.0, "reactor 2": 50.0}
    processes = [
        Process("heating", {"feed A": 1.0}, {"hot A": 1.0}, {"heater": Fit(100, duration=1)}),
        Process("reaction 1", {"feed B": 0.5, "feed C": 0.5}, {"int BC": 1.0},
                {u: Fit(v, duration=2) for u, v in reactors.items()}),
        Process("reaction 2", {"hot A": 0.4, "int BC": 0.6}, {"int AB": 0.6, "product 1": 0.4},
                {u: Fit(v, duration=2) for u, v in reactors.items()}),
        Process("reaction 3", {"feed C": 0.2, "int AB": 0.8}, {"impure E": 1.0},
                {u: Fit(v, duration=1) for u, v in reactors.items()}),
        Process("separation", {"impure E": 1.0}, {"int AB": 0.1, "product 2": (0.9, 1.0)}, {"still": Fit(200, duration=2)}),
    ]
    return Network(materials, processes, [Unit(u) for u in UNITS], horizon, plain=plain)


def variable_times(horizon: float, events: int | str) -> Network:
    """Example 2 of Ierapetritou and Floudas: durations alpha + beta x size, unlimited feeds."""
    materials = [Material(f"feed {k}", 1e6) for k in "ABC"]
    materials += [Material("hot A", capacity=100), Material("int AB", capacity=200), Material("int BC", capacity=150),
                  Material("impure E", capacity=200), Material("product 1", price=10), Material("product 2", price=10)]
    slow = {"reactor 1": Fit(50, duration=1.334, per_amount=0.02664), "reactor 2": Fit(80, duration=1.334, per_amount=0.01665)}
    quick = {"reactor 1": Fit(50, duration=0.667, per_amount=0.01332), "reactor 2": Fit(80, duration=0.667, per_amount=0.008325)}
    processes = [
        Process("heating", {"feed A": 1.0}, {"hot A": 1.0}, {"heater": Fit(100, duration=0.667, per_amount=0.00667)}),
        Process("reaction 1", {"feed B": 0.5, "feed C": 0.5}, {"int BC": 1.0}, slow),
        Process("reaction 2", {"hot A": 0.4, "int BC": 0.6}, {"int AB": 0.6, "product 1": 0.4}, slow),
        Process("reaction 3", {"feed C": 0.2, "int AB": 0.8}, {"impure E": 1.0}, quick),
        Process("separation", {"impure E": 1.0}, {"int AB": 0.1, "product 2": 0.9},
                {"still": Fit(200, duration=1.3342, per_amount=0.00666)}),
    ]
    return Network(materials, processes, [Unit(u) for u in UNITS], horizon, events=events)


def three_in_a_row(events: int | str) -> Network:
    """Example 1 of Ierapetritou and Floudas: mixing, reaction, purification, 12 h."""
    fits = [Fit(100, duration=3, per_amount=0.03), Fit(75, duration=2, per_amount=0.0266), Fit(50, duration=1, per_amount=0.02)]
    names = ["feed", "mixed", "reacted", "pure"]
    materials = [Material("feed", 1e5), Material("mixed", capacity=100), Material("reacted", capacity=100),
                 Material("pure", price=1)]
    units = ["mixer", "reactor", "purifier"]
    processes = [Process(f"step {k + 1}", {names[k]: 1.0}, {names[k + 1]: 1.0}, {units[k]: fits[k]}) for k in range(3)]
    return Network(materials, processes, [Unit(u) for u in units], 12, events=events)
