"""Steady optimization: blends, set-points, real-time optimization, reconciliation."""
