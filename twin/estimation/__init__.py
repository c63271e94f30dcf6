"""State estimation: Kalman filters for models whose states are measured late, rarely or not at all."""
