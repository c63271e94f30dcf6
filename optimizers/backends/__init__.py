"""The only place that touches solver libraries: one file a library."""
