"""What the boards of a tunnel oven share: zones, conveyor, air along the belt, power."""

from __future__ import annotations

from typing import Any

import twin
from twin import errors, jnp, smooth

GEOMETRY = "CUMCM 2020 problem A (statement): 11 zones of 30.5 cm, gaps of 5 cm, 25 cm before and behind"
FITTED = "nine-parameter fit to the measured profile of CUMCM 2020 problem A, rounded (its RMSE is 1.03 degC)"
SIZE = "[textbook] order of size of a convection oven"
SIGMA = 5.670374419e-8  # W/(m2 K4)


class Tunnel(twin.DynamicModel, abstract=True):  # type: ignore[call-arg]
    """A belt oven of zones with set points, hot ones first, cooled ones behind; a board moves through it at constant speed.

    Set points and speed are parameters: they hold for the whole passage, and a recipe is a set of them. The air along the belt
    is a chain of logistic steps between the set points: a wide one where the board enters, narrow ones in the gaps; behind the
    last hot zone it relaxes towards the air of the cooler.
    """

    time_unit = "s"

    zones = twin.static(11, doc="number of zones")
    hot = twin.static(9, doc="number of heated zones")
    regions = twin.static(4, doc="number of regions with a heat-transfer rate of their own")
    region_of = twin.static((0, 0, 0, 0, 0, 1, 1, 2, 2, 3, 3), doc="region of each zone")

    set_points = twin.parameter((175.0, 175.0, 175.0, 175.0, 175.0, 195.0, 235.0, 255.0, 255.0, 25.0, 25.0), "degC",
                                shape=("zones",), bounds=(0, 400), source=GEOMETRY, doc="air temperature of each zone")
    speed = twin.parameter(70.0, "cm/min", bounds=(5, 1000), source=GEOMETRY, doc="conveyor")
    zone_length = twin.parameter(30.5, "cm", bounds=(1, 500), source=GEOMETRY, doc="length of a zone")
    gap = twin.parameter(5.0, "cm", bounds=(0, 100), source=GEOMETRY, doc="distance between zones")
    entry = twin.parameter(25.0, "cm", bounds=(0, 300), source=GEOMETRY, doc="before the first and behind the last zone")
    ambient = twin.parameter(25.0, "degC", bounds=(-20, 60), source=GEOMETRY, doc="around the oven, and the board at its entry")
    entry_center = twin.parameter(27.7, "cm", bounds=(0, 100), source=FITTED, doc="where the air is half as hot as in zone 1")
    entry_width = twin.parameter(6.3, "cm", bounds=(0.2, 60), scale="log", source=FITTED, doc="width of the mixing at the entry")
    gap_width = twin.parameter(1.6, "cm", bounds=(0.2, 30), scale="log", source=FITTED, doc="width of the mixing in the gaps")
    cool_length = twin.parameter(64.0, "cm", bounds=(1, 1000), scale="log", source=FITTED, doc="length of mixing in the cooler")
    cool_air = twin.parameter(65.0, "degC", bounds=(-20, 200), source=FITTED, doc="air of the cooler")
    zone_loss = twin.parameter(0.018, "kW/K", bounds=(0, 1), source=SIZE, doc="loss of a zone to the hall and the exhaust")
    idle_power = twin.parameter(1.2, "kW", bounds=(0, 50), source=SIZE, doc="fans, conveyor, controls")
    board_heat = twin.parameter(0.25, "kJ/K", bounds=(0, 50), source=SIZE, doc="heat capacity of a board")
    pitch = twin.parameter(30.0, "cm", bounds=(1, 500), source=SIZE, doc="from the start of one board to that of the next")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.hot < self.zones:
            raise errors.SpecError(f"{self.title} has {self.hot} heated of {self.zones} zones. Expected at least one, and one to "
                                   "cool.")
        if len(self.region_of) != self.zones or not set(self.region_of) <= set(range(self.regions)):
            raise errors.SpecError(f"region_of of {self.title} is {self.region_of}. Expected one region below {self.regions} for "
                                   f"each of {self.zones} zones.")

    def length(self) -> Any:
        """From the entry to the exit, in cm."""
        return 2.0 * self.entry + self.zones * self.zone_length + (self.zones - 1) * self.gap

    def borders(self) -> list[Any]:
        """Middle of the gap before each zone from the second on, in cm."""
        return [self.entry + k * self.zone_length + (k - 0.5) * self.gap for k in range(1, self.zones)]

    def air(self, position: Any) -> Any:
        """Air temperature in degC at a position in cm."""
        z = self.set_points
        value = self.ambient + (z[0] - self.ambient) * _logistic((position - self.entry_center) / self.entry_width)
        for k, border in enumerate(self.borders()[:self.hot - 1], start=1):
            value = value + (z[k] - z[k - 1]) * _logistic((position - border) / self.gap_width)
        beyond = smooth.positive(position - (self.borders()[self.hot - 1] - 0.5 * self.gap), 0.5)
        return value + (self.cool_air - z[self.hot - 1]) * (1.0 - jnp.exp(-beyond / self.cool_length))

    def region_value(self, values: Any, position: Any) -> Any:
        """A quantity with one value a region, at a position in cm."""
        found = values[self.region_of[0]]
        for k, border in enumerate(self.borders(), start=1):
            if self.region_of[k] != self.region_of[k - 1]:
                step = _logistic((position - border) / self.gap_width)
                found = found + (values[self.region_of[k]] - values[self.region_of[k - 1]]) * step
        return found

    def position(self, time: Any) -> Any:
        """Way of the board in cm after a time in s."""
        return self.speed / 60.0 * time

    def power(self) -> Any:
        """Electric power of the loaded oven in kW: what the zones lose, what the boards take along, and the rest."""
        z = self.set_points
        loss = sum(self.zone_loss * (z[k] - self.ambient) for k in range(self.hot))
        return self.idle_power + loss + self.board_heat * (z[self.hot - 1] - self.ambient) * self.speed / 60.0 / self.pitch

    def shared_outputs(self, s: Any) -> dict[str, Any]:
        """Way, air, power, and energy for one board."""
        where = self.position(s.time)
        return {"way": where, "air_temperature": self.air(where), "power_drawn": self.power(),
                "energy_per_board": self.power() * self.pitch / self.speed / 60.0}

    def recipe(self) -> twin.Recipe:
        """One passage."""
        return twin.Recipe([twin.Phase(name="passage", until=float(self.length() / self.speed * 60.0))])

    def with_recipe(self, **changes: Any) -> Any:
        """Copy with other set points or speed.

        Parameters
        ----------
        changes
            `speed`, and set points by group: `z1_5=182.0` sets zones 1 to 5, `z7=237.0` zone 7.
        """
        import dataclasses

        points, rest = [float(v) for v in self.set_points], {}
        for name, value in changes.items():
            if name[0] == "z" and name[1:].replace("_", "").isdigit():
                for k in zone_numbers(name, self.zones, self.title):
                    points[k] = float(value)
            else:
                rest[name] = value
        return dataclasses.replace(self, set_points=tuple(points), **rest)

    def set_point_names(self, group: str) -> tuple[str, ...]:
        """Names in the parameter vector of the set points that a group such as "z1_5" sets."""
        return tuple(f"set_points[{k}]" for k in zone_numbers(group, self.zones, self.title))


def zone_numbers(name: str, zones: int, of: str) -> range:
    """Zones, counted from 0, that a name such as "z7" or "z1_5" stands for.

    Raises
    ------
    twin.errors.SpecError
        The name stands for no zones of the oven.
    """
    ends = name[1:].split("_")
    if name[:1] != "z" or not all(e.isdigit() for e in ends) or len(ends) > 2 or not 1 <= int(ends[0]) <= int(ends[-1]) <= zones:
        raise errors.SpecError(f"'{name}' stands for no zones of {of}. Expected z1 to z{zones}, or z1_5 for the zones 1 to 5.",
                               name=name)
    return range(int(ends[0]) - 1, int(ends[-1]))


def _logistic(a: Any) -> Any:
    return 0.5 * (1.0 + jnp.tanh(0.5 * a))
