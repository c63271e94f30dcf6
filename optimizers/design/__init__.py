"""Design of a recipe: parameters of a dynamic model, judged by what a measure makes of its run."""
