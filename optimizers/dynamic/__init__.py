"""Dynamic optimization: which inputs, durations and parameters make a run best within its limits."""
