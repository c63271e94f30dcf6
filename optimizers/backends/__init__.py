"""The only places that touch solvers from outside."""
