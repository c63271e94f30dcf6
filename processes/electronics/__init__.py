"""Electronics lines: reflow ovens, and single steps of wafer processing."""

from __future__ import annotations

from twin.lazy import exports

_PUBLIC = {
    "Oxidation": "processes.electronics.oxidation",
    "Polishing": "processes.electronics.polishing",
    **dict.fromkeys(("ProfileLimits", "profile_metrics"), "processes.electronics.profile"),
    **dict.fromkeys(("Verdict", "judge_recipe"), "processes.electronics.recipe_guard"),
    **dict.fromkeys(("OvenZones", "changeover_minutes", "changeover_matrix"), "processes.electronics.changeover"),
    **dict.fromkeys(("Product", "ProductMix", "MixPlan"), "processes.electronics.product_mix"),
    "ReflowMeasure": "processes.electronics.measures",
    **dict.fromkeys(("RecipeSaving", "Saved"), "processes.electronics.recipe_saving"),
    **dict.fromkeys(("ReflowRecipe", "RecipeCheck"), "processes.electronics.recipes"),
    **dict.fromkeys(("ReflowOven", "ReflowAssembly", "ReflowSection"), "processes.electronics.reflow"),
}

__getattr__, __dir__ = exports(__name__, _PUBLIC)
