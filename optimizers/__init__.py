"""Optimizers of set-points, trajectories, schedules and energy against physical constraints."""
