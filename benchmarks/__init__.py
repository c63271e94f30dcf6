"""Benchmarks: each asserts the answer before it times anything, and solves the same problem with the peers in the same run."""
