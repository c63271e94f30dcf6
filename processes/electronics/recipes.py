"""Best recipe of a reflow oven: four goals, limits of paste and parts, the answer replayed on other boards, and what it saves."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from processes.electronics.boards import (
    EVERY,
    MORE,
    JudgedRun,
    check_oven,
    check_spread,
    judged,
    node_rows,
    node_units,
    passage,
    recipe_value,
    ties,
    with_recipe_of,
)
from processes.electronics.measures import ReflowMeasure
from processes.electronics.profile import ProfileLimits
from processes.electronics.recipe_guard import judge_recipe
from processes.electronics.recipe_saving import RecipeSaving
from twin import errors

if TYPE_CHECKING:
    from processes.electronics.recipe_guard import Verdict
    from processes.electronics.recipe_saving import Saved

ACCURATE = 1e-9  # of the simulations: areas are flat near their optimum, and differences must show it
GOALS = {"fastest": ("maximize", "speed"), "smallest area": ("minimize", "area_to_peak"), "centered": ("center", ""),
         "least energy": ("minimize", "energy_per_board")}


@dataclasses.dataclass(frozen=True, eq=False)
class ReflowRecipe:
    """A recipe of a reflow oven that is best for a goal within limits; `optimizers.solve` finds it.

    Where the board has several parts, each of them must meet the limits, and metrics are named "peak of board", "peak of part 2".

    Attributes
    ----------
    oven
        `ReflowOven`, `ReflowAssembly`, `ReflowSection` or an oven with a learned correction; its recipe is the reference.
    limits
        What profiles must meet.
    goal
        "fastest": largest belt speed. "smallest area": least area above liquidus up to the peak. "centered": smallest process
        window index. "least energy": least electricity for a board.
    decisions
        {name: (lower, upper)}: "speed" in cm/min, and zones by group in degC: "z1_5" sets zones 1 to 5, "z7" zone 7.
    boards
        {name: oven}: other models of the line, on which the answer is replayed in full, such as heavier parts or a board through
        its thickness.
    fitted, samples
        As in `judge_recipe`: with them the answer says whether the model may be believed there.
    saving
        A `RecipeSaving`: prices and factors, for what the recipe brings against the reference.

    Examples
    --------
    >>> import optimizers
    >>> from processes.electronics import ProfileLimits, ReflowOven, ReflowRecipe
    >>> case = ReflowRecipe(ReflowOven(), ProfileLimits.contest(), "fastest", {"speed": (65.0, 100.0)})
    >>> found = optimizers.solve(case)
    >>> round(found.value["speed"], 1), found.active[0].name
    (77.0, 'peak')
    """

    oven: Any
    limits: ProfileLimits
    goal: str
    decisions: Mapping[str, tuple[float, float]]
    boards: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    fitted: Any = None
    samples: Mapping[str, Any] | None = None
    saving: RecipeSaving | None = None

    solved_by = "optimizers.design.solving"

    def __post_init__(self) -> None:
        if self.goal not in GOALS:
            raise errors.unknown("goal", self.goal, "ReflowRecipe", GOALS)
        check_oven("oven", self.oven)
        for name, board in self.boards.items():
            check_oven(name, board, self.oven)
        ties(self.oven, self.decisions)
        if self.goal == "fastest" and "speed" not in self.decisions:
            raise errors.SpecError("The fastest recipe needs the decision 'speed'. Give its bounds in cm/min.", name="speed")
        check_spread(self.oven, self.limits)

    def design(self) -> dict[str, Any]:
        """The fields of `optimizers.Design`."""
        slowest = min(float(self.oven.speed), *self.decisions.get("speed", (self.oven.speed,)))
        made = {"model": self.oven, "decisions": self.decisions, "ties": ties(self.oven, self.decisions),
                "every": EVERY, "rtol": ACCURATE, "measure": ReflowMeasure(self.oven, self.limits.liquidus, *self.limits.soak),
                "duration": float(self.oven.length() / slowest * 60.0), "recipe": passage(),
                "limits": node_rows(self.oven, self.limits), "units": node_units(self.oven)}
        key, what = GOALS[self.goal]
        if key == "center":  # a window that is open below counts from zero, as in `ProfileLimits.window_index`
            rows = {n: (-high if low is None and high is not None else low, high) for n, (low, high) in made["limits"].items()}
            return made | {"center": True, "limits": rows}
        return made | {key: what}

    def checked(self, decisions: Mapping[str, float], metrics: Mapping[str, float], active: Sequence[Any] = ()) -> RecipeCheck:
        """The recipe on the oven and on all boards, with what it saves.

        Parameters
        ----------
        decisions
            Values by name.
        metrics
            Metrics of the answer, as the solver has them; not used where the run gives its own.
        active
            Active limits with shadow prices.
        """
        oven = self.oven.with_recipe(**decisions)
        own, reference = judged(oven, self.limits), judged(self.oven, self.limits)
        replays = {name: judged(with_recipe_of(oven, board), self.limits) for name, board in self.boards.items()}
        verdict = None
        if self.fitted is not None:
            verdict = judge_recipe(oven, self.limits, fitted=self.fitted, samples=self.samples)
        sentences = []
        for name, run in replays.items():
            missed = run.misses
            sentences.append(f"Replayed on {name}: " + (" ".join(missed) if missed else
                             f"all limits hold, process window index {run.window_index:.0f} %."))
        saved = None if self.saving is None else self.saving.against(self.oven, oven)
        if saved is not None:
            sentences.append(str(saved))
        if verdict is not None:
            sentences.append("The recipe is near the measured profiles, or its uncertainty fits into the margins." if verdict
                             else "Do not run it on the word of the model: " + " ".join(verdict.sentences))
        return RecipeCheck(self, oven, own, reference, replays, verdict, saved, tuple(sentences), tuple(active))


@dataclasses.dataclass(frozen=True, eq=False)
class RecipeCheck:
    """An answer of `ReflowRecipe`, checked on every board; `solution.details["check"]` holds it.

    Attributes
    ----------
    stated
        The problem.
    oven
        The oven with the recipe.
    own, reference, replays
        `JudgedRun` of the recipe, of the reference recipe, and of the recipe on the other boards by name.
    verdict
        Of `judge_recipe`; None where no fitted recipe was given.
    saved
        What it saves against the reference; None without prices.
    sentences
        What there is to say.
    active
        Active limits with shadow prices.
    """

    stated: ReflowRecipe
    oven: Any
    own: JudgedRun
    reference: JudgedRun
    replays: Mapping[str, JudgedRun]
    verdict: Verdict | None
    saved: Saved | None
    sentences: tuple[str, ...]
    active: tuple[Any, ...]

    @property
    def views(self) -> dict[str, Any]:
        """What the solution shows."""
        return {"table": lambda solution: self.table(), "to_frame": lambda solution: self.to_frame(),
                "plot": lambda solution: self.plot()}

    def to_frame(self) -> Any:
        """DataFrame: each metric and decision, its limits, margin and shadow price, and the reference beside it."""
        import pandas as pd

        prices: dict[str, float] = {}
        for a in self.active:
            prices[a.name] = max(a.shadow_price, prices.get(a.name, 0.0))
        rows = {**node_rows(self.oven, self.stated.limits), **self.stated.decisions}
        value = dict(self.own.metrics) | {n: recipe_value(self.oven, n) for n in self.stated.decisions}
        before = dict(self.reference.metrics) | {n: recipe_value(self.stated.oven, n) for n in self.stated.decisions}
        units = node_units(self.oven) | MORE
        made = []
        for name in [*rows, *(n for n in value if n not in rows)]:
            low, high = rows.get(name, (None, None))
            margins = [sign * (value[name] - v) for sign, v in ((1.0, low), (-1.0, high)) if v is not None]
            made.append({"name": name, "value": value[name], "unit": units.get(name, "degC"), "lower": low, "upper": high,
                         "margin": min(margins) if margins else None,
                         "shadow price": prices.get(name, 0.0) if margins else None, "reference": before[name],
                         "decision": name in self.stated.decisions})
        return pd.DataFrame(made).set_index("name")

    def table(self) -> str:
        """The same as text."""
        return str(self.to_frame().to_string(float_format=lambda v: "" if v != v else f"{v:.5g}"))

    def plot(self) -> Any:
        """Figure of the profiles with their limits, and how much of each window is used."""
        from processes.electronics.recipe_plots import recipe_figure

        return recipe_figure(self)
