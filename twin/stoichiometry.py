"""Reactions whose stoichiometry closes the balance of every declared element."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twin import errors
from twin.parameters import traced

Coefficient = float | Callable[[Any], Any]
TOLERANCE = 1e-12


class Reactions:
    """Stoichiometry as data, a class attribute of a model: `network = twin.Reactions(...)`.

    Parameters
    ----------
    stoichiometry
        {reaction: {species: coefficient}}: negative where used, positive where made. A coefficient is a number, or a
        function of the model where it is a yield: `{"substrate": lambda m: -1 / m.y_xs}`.
    composition
        {species: {element: amount in one unit of the species}}, numbers or functions of the model. Species without an
        entry hold none of the declared elements.
    closing
        {reaction: species} or {reaction: (species, ...)}: species whose coefficients follow from the element balances.

    Raises
    ------
    SpecError
        At once where coefficients are numbers, at construction of the model where they depend on it: names the
        reaction, the element and the imbalance.

    Examples
    --------
    >>> network = Reactions({"burn": {"ch4": -1, "o2": -2, "co2": 1, "h2o": 2}},
    ...                     {"ch4": {"C": 1, "H": 4}, "o2": {"O": 2}, "co2": {"C": 1, "O": 2}, "h2o": {"H": 2, "O": 1}})
    >>> network.rates_of_change({"burn": 3.0})["h2o"]
    6.0
    """

    def __init__(self, stoichiometry: Mapping[str, Mapping[str, Coefficient]],
                 composition: Mapping[str, Mapping[str, Coefficient]] | None = None, *,
                 closing: Mapping[str, str | Sequence[str]] | None = None) -> None:
        self.stoichiometry = {r: dict(row) for r, row in stoichiometry.items()}
        self.composition = {s: dict(row) for s, row in (composition or {}).items()}
        self.closing = {r: (c,) if isinstance(c, str) else tuple(c) for r, c in (closing or {}).items()}
        self.elements = tuple(dict.fromkeys(e for row in self.composition.values() for e in row))
        self.species = tuple(dict.fromkeys([s for row in self.stoichiometry.values() for s in row]
                                           + [s for row in self.closing.values() for s in row]))
        self.name = "reactions"
        self._solvers = {r: self._solver(r) for r in self.closing}
        for species in self.composition:
            if species not in self.species:
                raise errors.unknown("species", species, "the composition", self.species)
        tables = (*self.stoichiometry.values(), *self.composition.values())
        if not any(callable(v) for row in tables for v in row.values()):
            self.check(None)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = f"{owner.__name__}.{name}"

    def __get__(self, model: Any, owner: type | None = None) -> Any:
        return self if model is None else BoundReactions(self, model)

    def coefficients(self, reaction: str, model: Any = None) -> dict[str, Any]:
        """Coefficients of one reaction by species, those of the closing species solved."""
        row = {s: _value(c, model) for s, c in self.stoichiometry[reaction].items()}
        for species, weights in self._solvers.get(reaction, {}).items():
            row[species] = -sum(w * self._sum(row, e, model, self.closing[reaction]) for e, w in weights.items())
        return row

    def check(self, model: Any) -> None:
        """Raise where an element is not balanced; values that JAX traces are not checked.

        Raises
        ------
        SpecError
            With reaction, element and imbalance.
        """
        for reaction in self.stoichiometry:
            row = self.coefficients(reaction, model)
            for element in self.elements:
                parts = [c * self._amount(s, element, model) for s, c in row.items()]
                if any(traced(p) for p in parts):
                    continue
                error, size = float(sum(parts)), float(sum(abs(p) for p in parts))
                if not abs(error) <= TOLERANCE * max(1.0, size):
                    what = "makes" if error > 0 else "loses"
                    raise errors.SpecError(f"Reaction '{reaction}' of {self.name} {what} {abs(error):.6g} of element "
                                           f"{element} a unit of "
                                           f"rate (of {size:.6g} turned over). Expected 0. Correct a coefficient, or "
                                           "let one "
                                           "species close the balance with closing={...}.",
                                           reaction=reaction, element=element, imbalance=error)

    def rates_of_change(self, rates: Mapping[str, Any], model: Any = None) -> dict[str, Any]:
        """Net formation of each species, from the rate of each reaction (any shapes that broadcast).

        Raises
        ------
        SpecError
            For an unknown or a missing reaction.
        """
        for name in rates:
            if name not in self.stoichiometry:
                raise errors.unknown("reaction", name, self.name, self.stoichiometry)
        missing = [r for r in self.stoichiometry if r not in rates]
        if missing:
            raise errors.SpecError(f"{self.name} gets no rate for {', '.join(missing)}. Give one for every reaction.")
        total: dict[str, Any] = dict.fromkeys(self.species, 0.0)
        for reaction, rate in rates.items():
            for species, c in self.coefficients(reaction, model).items():
                total[species] = total[species] + c * rate
        return total

    def _amount(self, species: str, element: str, model: Any) -> Any:
        return _value(self.composition.get(species, {}).get(element, 0.0), model)

    def _sum(self, row: Mapping[str, Any], element: str, model: Any, leave_out: tuple[str, ...]) -> Any:
        return sum(c * self._amount(s, element, model) for s, c in row.items() if s not in leave_out)

    def _solver(self, reaction: str) -> dict[str, dict[str, float]]:
        """For each closing species the weight of each element's imbalance: rows of an inverse, by Gauss and Jordan.

        Elements that are not needed to tell the closing species apart get no weight; `check` proves them.
        """
        if reaction not in self.stoichiometry:
            raise errors.unknown("reaction", reaction, "closing", self.stoichiometry)
        species = self.closing[reaction]
        for s in species:
            if s in self.stoichiometry[reaction]:
                raise errors.SpecError(f"'{s}' has a coefficient in reaction '{reaction}' and also closes it. Leave "
                                       "one out.")
            if any(callable(v) for v in self.composition.get(s, {}).values()):
                raise errors.SpecError(f"'{s}' closes reaction '{reaction}', but its composition depends on the "
                                       "model. Give numbers.")
        rows = [[float(self._amount(s, e, None)) for s in species] + [float(e == other) for other in self.elements]
                for e in self.elements]
        solved: list[list[float]] = []
        for j in range(len(species)):
            pivot = next((row for row in rows if abs(row[j]) > 1e-9 * max(map(abs, row[:len(species)]))), None)
            if pivot is None:
                raise errors.SpecError(f"The elements {', '.join(self.elements) or '(none)'} do not fix "
                                       f"{', '.join(species)} in reaction '{reaction}'. Let fewer species close it, or "
                                       "declare their composition.")
            rows = [row for row in rows if row is not pivot]
            pivot = [v / pivot[j] for v in pivot]
            rows, solved = ([[v - row[j] * w for v, w in zip(row, pivot, strict=True)] for row in part]
                            for part in (rows, solved))
            solved.append(pivot)
        return {s: {e: w for e, w in zip(self.elements, row[len(species):], strict=True) if w}
                for s, row in zip(species, solved, strict=True)}


class BoundReactions:
    """The reactions of one model: what `self.network` gives inside its methods."""

    __slots__ = ("model", "of")

    def __init__(self, of: Reactions, model: Any) -> None:
        self.of, self.model = of, model

    def rates_of_change(self, rates: Mapping[str, Any]) -> dict[str, Any]:
        """Net formation of each species, from the rate of each reaction."""
        return self.of.rates_of_change(rates, self.model)

    def coefficients(self, reaction: str) -> dict[str, Any]:
        """Coefficients of one reaction by species."""
        return self.of.coefficients(reaction, self.model)


def reactions(rates: Mapping[str, Any], stoichiometry: Mapping[str, Mapping[str, float]],
              composition: Mapping[str, Mapping[str, float]] | None = None) -> dict[str, Any]:
    """Net formation of each species, for stoichiometry that is not worth a class attribute; checked like `Reactions`.

    Parameters
    ----------
    rates
        {reaction: rate}.
    stoichiometry
        {reaction: {species: coefficient}}, negative for what is consumed.
    composition
        {species: {element: content}} where the elements are to be checked.

    Examples
    --------
    >>> reactions({"r": 2.0}, {"r": {"a": -1, "b": 2}})
    {'a': -2.0, 'b': 4.0}
    """
    return Reactions(stoichiometry, composition).rates_of_change(rates)


def _value(c: Coefficient, model: Any) -> Any:
    return c(model) if callable(c) else float(c)
