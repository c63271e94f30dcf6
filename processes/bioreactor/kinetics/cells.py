"""Rates of cells: growth, uptake, production, inhibition and overflow, in any consistent units."""

from __future__ import annotations

from typing import Any

from twin.lazy import array_module


def monod(substrate: Any, maximum: Any, k_s: Any) -> Any:
    """Saturation with one limiting substrate: `maximum S / (k_s + S)`, in the unit of `maximum`.

    Valid for S >= 0 and a single limiting substrate without inhibition.
    Source: Monod, Annu. Rev. Microbiol. 3 (1949) 371-394, doi:10.1146/annurev.mi.03.100149.002103.

    Parameters
    ----------
    substrate, k_s
        Concentration, and its value at half the maximum, in one unit (g/l).
    maximum
        Rate at saturation (1/h, or g/(g h)).

    Examples
    --------
    >>> monod(0.1, 0.5, 0.1)
    0.25
    """
    return maximum * substrate / (k_s + substrate)


def monod_signed(substrate: Any, maximum: Any, k_s: Any) -> Any:
    """Saturation like `monod`, without its pole at `S = -k_s`: `maximum S / (k_s + |S|)`, in the unit of `maximum`.

    For fast states such as dissolved oxygen, where one step of an integrator can reach below zero: beyond the pole `monod`
    would be great and positive again, and a run could settle there. Below zero the rate is negative and drives back.
    The corner of |S| is rounded within 1e-4 k_s: `monod` to 8 digits at S = k_s and above. Source as of `monod`.

    Parameters
    ----------
    substrate, k_s
        Concentration, and its value at half the maximum, in one unit (mmol/l).
    maximum
        Rate at saturation (1/h).

    Examples
    --------
    >>> round(float(monod_signed(0.1, 0.5, 0.1)), 6), float(monod_signed(-0.2, 0.5, 0.1)) < 0
    (0.25, True)
    """
    return maximum * substrate / (k_s + array_module(substrate, k_s).sqrt(substrate * substrate + 1e-8 * k_s * k_s))


def contois(substrate: Any, biomass: Any, maximum: Any, k_x: Any) -> Any:
    """Saturation that falls with crowding: `maximum S / (k_x X + S)`, in the unit of `maximum`.

    Valid for S >= 0, X > 0 (at S = X = 0 it has no value); for dense or viscous broths.
    Source: Contois, J. Gen. Microbiol. 21 (1959) 40-50, doi:10.1099/00221287-21-1-40.

    Parameters
    ----------
    substrate, biomass
        Concentrations in one unit (g/l).
    maximum
        Rate at saturation (1/h).
    k_x
        Substrate at half the maximum over biomass (g/g).

    Examples
    --------
    >>> contois(1.5, 10.0, 0.5, 0.15)
    0.25
    """
    return maximum * substrate / (k_x * biomass + substrate)


def haldane(substrate: Any, maximum: Any, k_s: Any, k_i: Any) -> Any:
    """Saturation with inhibition by excess: `maximum S / (k_s + S + S**2 / k_i)`, in the unit of `maximum`.

    Its peak is `maximum / (1 + 2 sqrt(k_s / k_i))` at `S = sqrt(k_s k_i)`. Some papers write `(S / k_i)**2`: their
    constant is the square root of k_i here times the unit of S. Valid for S >= 0.
    Source: Andrews, Biotechnol. Bioeng. 10 (1968) 707-723, doi:10.1002/bit.260100602.

    Parameters
    ----------
    substrate, k_s, k_i
        Concentration, saturation and inhibition constants in one unit (g/l).
    maximum
        Rate without inhibition at saturation (1/h); it is not reached.

    Examples
    --------
    >>> round(haldane((9.28 * 256.0) ** 0.5, 0.74, 9.28, 256.0), 6)
    0.535926
    """
    return maximum * substrate / (k_s + substrate + substrate * substrate / k_i)


def moser(substrate: Any, maximum: Any, k_s: Any, exponent: Any) -> Any:
    """Sigmoid saturation: `maximum S**n / (k_s**n + S**n)`, in the unit of `maximum`.

    The constant is a concentration here; sources that write `k_s + S**n` give k_s to the power n. Valid for S > 0 and n >= 1.
    Source: Moser, The dynamics of bacterial populations maintained in the chemostat, Carnegie Inst. Publ. 614 (1958) [textbook].

    Parameters
    ----------
    substrate, k_s
        Concentration, and its value at half the maximum, in one unit (g/l).
    maximum
        Rate at saturation (1/h).
    exponent
        Steepness n; 1 gives `monod`.

    Examples
    --------
    >>> moser(2.0, 0.5, 1.0, 2.0)
    0.4
    """
    power = substrate**exponent
    return maximum * power / (k_s**exponent + power)


def luedeking_piret(growth: Any, with_growth: Any, without_growth: Any) -> Any:
    """Specific production tied to growth and to biomass: `with_growth mu + without_growth`.

    Source: Luedeking, Piret, J. Biochem. Microbiol. Technol. Eng. 1 (1959) 393-412, doi:10.1002/jbmte.390010406.

    Parameters
    ----------
    growth
        Specific growth rate (1/h).
    with_growth, without_growth
        Product per biomass grown (g/g), and per biomass and time (g/(g h)).

    Examples
    --------
    >>> luedeking_piret(0.1, 2.0, 0.05)
    0.25
    """
    return with_growth * growth + without_growth


def uptake(growth: Any, biomass_yield: Any, maintenance: Any) -> Any:
    """Specific substrate uptake for growth and maintenance: `mu / yield + maintenance`.

    A constant maintenance takes up substrate that is not there: let it vanish with the substrate (`monod`).
    Source: Pirt, Proc. R. Soc. Lond. B 163 (1965) 224-231, doi:10.1098/rspb.1965.0069.

    Parameters
    ----------
    growth
        Specific growth rate (1/h).
    biomass_yield
        Biomass from substrate without maintenance (g/g).
    maintenance
        Uptake without growth (g/(g h)).

    Examples
    --------
    >>> uptake(0.1, 0.5, 0.02)
    0.22
    """
    return growth / biomass_yield + maintenance


def inhibition(product: Any, k_i: Any) -> Any:
    """Share of a rate that is left with an inhibitor: `k_i / (k_i + P)`, from 1 to 0.

    Non-competitive form; valid for P >= 0 [textbook].

    Parameters
    ----------
    product, k_i
        Concentration, and its value at half the rate, in one unit (g/l).

    Examples
    --------
    >>> inhibition(43.0, 43.0)
    0.5
    """
    return k_i / (k_i + product)


def overflow(demand: Any, capacity: Any, share: float = 1e-5) -> tuple[Any, Any]:
    """Split a flux at a bottleneck: what is oxidized, at most the capacity, and the rest, which overflows.

    Below the capacity nothing overflows, above it everything more does. The kink is rounded: where demand and capacity are
    equal, what is oxidized is less by `share` of it. Both parts stay at or above zero, and nothing is oxidized where demand
    or capacity is zero. Valid for demand, capacity >= 0.
    Source of the bottleneck: Sonnleitner, Kaeppeli, Biotechnol. Bioeng. 28 (1986) 927-937, doi:10.1002/bit.260280620.

    Parameters
    ----------
    demand, capacity
        Specific uptake, and the greatest that respiration can take, in one unit (g/(g h)).
    share
        Rounding at the kink, relative; above 0 and well below 1.

    Examples
    --------
    >>> burnt, spilled = overflow(3.0, 1.0)
    >>> round(float(burnt), 6), round(float(spilled), 6)
    (1.0, 2.0)
    """
    gap, product = demand - capacity, demand * capacity
    # the lower root of (q - demand)(q - capacity) = share**2 product, written without cancellation
    root = array_module(demand, capacity).sqrt(gap * gap + 4 * share * share * product + 1e-30)
    burnt = 2 * (1 - share * share) * product / (demand + capacity + root)
    return burnt, demand - burnt


def respiration(sugar: Any, byproduct: Any, oxygen: Any, per_sugar: Any, per_byproduct: Any,
                share: float = 1e-5) -> tuple[Any, Any, Any, Any]:
    """Sugar oxidized, sugar overflowed, by-product oxidized and oxygen used, where respiration is the bottleneck.

    Sugar goes first; the by-product (ethanol of yeast, acetate of bacteria) is taken up again with what respiration has
    left. All are specific rates. Rounding, validity and source: see `overflow`.

    Parameters
    ----------
    sugar, byproduct
        Uptake that the concentrations would allow (g/(g h)).
    oxygen
        Capacity of respiration (g/(g h) or mmol/(g h)).
    per_sugar, per_byproduct
        Oxygen for the oxidation of each, in the unit of `oxygen` over that of the uptake.
    share
        Rounding at the kinks, relative.

    Examples
    --------
    >>> [round(float(q), 4) for q in respiration(1.0, 0.1, 0.25, 0.4, 0.9)]
    [0.625, 0.375, 0.0, 0.25]
    """
    burnt, spilled = overflow(sugar, oxygen / per_sugar, share)
    left = oxygen - per_sugar * burnt
    reused, _ = overflow(byproduct, left / per_byproduct, share)
    return burnt, spilled, reused, per_sugar * burnt + per_byproduct * reused
