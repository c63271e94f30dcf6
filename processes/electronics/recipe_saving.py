"""What a recipe saves against another one: oven time, electricity, money and carbon dioxide."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from twin import errors


@dataclasses.dataclass(frozen=True)
class RecipeSaving:
    """Prices and factors of a line, for what a recipe brings.

    Attributes
    ----------
    boards
        Boards that are counted, such as those of a year.
    energy_price
        Money for a kWh of electricity.
    hour_cost
        Money for an hour of the line; counts where the line waits for the oven.
    currency
        Of both.
    factor
        Emission factor of the electricity, by its name in `twin.emission_factors`; None leaves CO2 out.
    start
        Day from which the boards are made, for the version of the factor; None takes the newest.

    Examples
    --------
    >>> from processes.electronics import RecipeSaving, ReflowOven
    >>> oven = ReflowOven()
    >>> saved = RecipeSaving(1000, energy_price=0.1, hour_cost=60.0).against(oven, oven.with_recipe(speed=75.0))
    >>> round(saved.hours, 3), round(saved.energy, 1), round(saved.money, 2)
    (0.476, 14.2, 29.99)
    """

    boards: float
    energy_price: float = 0.0
    hour_cost: float = 0.0
    currency: str = "EUR"
    factor: str | None = "grid China"
    start: str | None = None

    def __post_init__(self) -> None:
        for name in ("boards", "energy_price", "hour_cost"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0) or (name == "boards" and value == 0):
                raise errors.SpecError(f"{name} of RecipeSaving is {value:g}. Expected a finite number, "
                                       f"{'above 0' if name == 'boards' else 'at least 0'}.", name=name)

    def against(self, reference: Any, oven: Any) -> Saved:
        """What the recipe of `oven` saves against that of `reference`.

        Parameters
        ----------
        reference, oven
            Ovens with the two recipes.
        """
        hours = self.boards * (float(reference.pitch / reference.speed) - float(oven.pitch / oven.speed)) / 60.0
        used = [self.boards * float(o.power() * o.pitch / o.speed) / 60.0 for o in (reference, oven)]
        energy = used[0] - used[1]
        co2, sd = self._co2(*used) if self.factor is not None else (None, None)
        return Saved(self, hours, energy, hours * self.hour_cost + energy * self.energy_price, co2, sd)

    def _co2(self, before: float, after: float) -> tuple[float, float]:
        """Carbon dioxide saved in kg and its standard uncertainty, from the ledger of both."""
        import twin

        options: dict[str, Any] = {"production": {"boards": self.boards}, "production_unit": "pieces", "start": self.start,
                                   "every": "1 h"}
        ledgers = [twin.account([twin.Activity(name="reflow oven", factor=self.factor, amount=f"{amount} kWh")], **options)
                   for amount in (before, after)]
        difference = ledgers[1].against(ledgers[0])
        return -float(difference.co2), float(difference.uncertainty)


@dataclasses.dataclass(frozen=True)
class Saved:
    """What a recipe saves; negative where it costs more.

    Attributes
    ----------
    prices
        The `RecipeSaving` that counted.
    hours
        Oven time in h.
    energy
        Electricity in kWh.
    money
        In the currency of the prices.
    co2, co2_sd
        Carbon dioxide in kg and its standard uncertainty; None without a factor.
    """

    prices: RecipeSaving
    hours: float
    energy: float
    money: float
    co2: float | None
    co2_sd: float | None

    def __str__(self) -> str:
        p = self.prices
        text = (f"Against the reference, {p.boards:,.0f} boards save {_told(self.hours)} h of oven time and "
                f"{_told(self.energy)} kWh, {_told(self.money)} {p.currency} at "
                f"{p.hour_cost:g} {p.currency}/h and {p.energy_price:g} {p.currency}/kWh")
        if self.co2 is None or self.co2_sd is None:
            return f"{text}."
        return f"{text}; {_told(self.co2)} +- {_told(self.co2_sd)} kg CO2 (scope 2, {p.factor})."


def _told(value: float) -> str:
    """Whole numbers from a hundred on, three digits below."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
