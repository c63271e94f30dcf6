"""Solvers of others behind one small face each: the only place that imports them."""
