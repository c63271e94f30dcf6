"""How far a limit can move before other limits take over: exact, from the basis of the linear program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

SMALL = 1e-9
LARGEST = 3000  # rows, columns: beyond it no ranges are computed


class Ranges:
    """Ranges of validity about one answer of a linear program.

    With slacks s = A x the basis B has one column a row. Moving a limit by t changes a row of B by t times its
    denominator: a change of rank one, after which basic values and reduced costs are linear in t / (1 + t h).
    """

    def __init__(self, program: Any, answer: Any) -> None:
        import numpy as np

        n, m = len(program.names), len(program.rows)
        self.usable = max(n, m) <= LARGEST and int(np.sum(answer.basic_columns) + np.sum(answer.basic_rows)) == m
        if not self.usable:
            return
        matrix = np.zeros((m, n + m))
        for i, row in enumerate(program.rows):
            for k, c in row.items():
                matrix[i, k] = c
            matrix[i, n + i] = -1.0
        self.n, self.m, self.matrix = n, m, matrix
        self.basic = np.flatnonzero(np.concatenate([answer.basic_columns, answer.basic_rows]))
        self.values = np.concatenate([answer.x, answer.activity])
        self.low = np.concatenate([program.lower, program.row_lower])
        self.high = np.concatenate([program.upper, program.row_upper])
        self.cost = np.concatenate([program.cost, np.zeros(m)])
        try:
            self.inverse = np.linalg.inv(matrix[:, self.basic])
        except np.linalg.LinAlgError:
            self.usable = False
            return
        self.prices = self.cost[self.basic] @ self.inverse
        self.reduced = self.cost - self.prices @ matrix

    def of_limit(self, row: int, under: Mapping[int, float]) -> tuple[float, float]:
        """How far a limit in the coefficients of a row (over - limit x under) can go down and up: (-down, up)."""
        import numpy as np

        if not self.usable:
            return math.nan, math.nan
        change = np.zeros(self.n + self.m)
        for k, c in under.items():
            change[k] = -c
        column = self.inverse[:, row]
        total = -float(change @ self.values)
        h = float(change[self.basic] @ column)
        low, high = self._primal(column * total)
        moves = self.prices[row] * ((change[self.basic] @ self.inverse) @ self.matrix - change)
        others = np.setdiff1d(np.arange(self.n + self.m), self.basic)
        for j in others:
            at_low = abs(self.values[j] - self.low[j]) <= abs(self.values[j] - self.high[j])
            if self.low[j] == self.high[j]:
                continue
            rest, slope = (self.reduced[j], moves[j]) if at_low else (-self.reduced[j], -moves[j])
            if abs(slope) > SMALL:
                end = max(rest, 0.0) / abs(slope)
                low, high = (max(low, -end), high) if slope > 0 else (low, min(high, end))
        return _turned(low, h), _turned(high, h)

    def of_bound(self, column: int) -> tuple[float, float]:
        """How far the bound at which a column stands can go down and up."""
        return self._primal(-self.inverse @ self.matrix[:, column]) if self.usable else (math.nan, math.nan)

    def _primal(self, direction: Any) -> tuple[float, float]:
        """Steps for which all basic values stay within their bounds."""
        low, high = -math.inf, math.inf
        for k, d in zip(self.basic, direction, strict=True):
            if abs(d) <= SMALL:
                continue
            up, down = max(self.high[k] - self.values[k], 0.0), max(self.values[k] - self.low[k], 0.0)
            ahead, behind = (up, down) if d > 0 else (down, up)
            low, high = max(low, -behind / abs(d)), min(high, ahead / abs(d))
        return low, high


def _turned(phi: float, h: float) -> float:
    """t from t / (1 + t h)."""
    if math.isinf(phi):
        return phi if h == 0 else math.copysign(math.inf, phi)
    rest = 1.0 - phi * h
    return phi / rest if rest > 0 else math.copysign(math.inf, phi)
