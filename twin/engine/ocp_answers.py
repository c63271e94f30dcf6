"""Iterates kept as answers, and taken up again for a warm start. Engine subset."""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.ocp_records import *
from twin.engine.ocp_rows import FAR


def keep_answer(m: Ocp, w: Work, out: Answer) -> int:
    """Copy the iterate, its multipliers and costates; needs `lagrangian`."""
    out.stat[HAS_ANSWER] = 1
    for n in range(m.counts[NODES]):
        for i in range(m.size[N_X]):
            out.x[n][i] = w.x[n][i]
            out.costate[n][i] = w.costate[n][i]
        for i in range(m.size[N_U]):
            out.u[n][i] = w.u[n][i]
        for i in range(m.size[N_K]):
            out.kap[n][i] = w.kap[n][i]
    for p in range(m.counts[EDGES] * m.size[POINTS]):
        for i in range(m.size[N_X]):
            out.xp[p][i] = w.xp[p][i]
        for i in range(m.size[N_Z]):
            out.zp[p][i] = w.zp[p][i]
    for b in range(m.counts[EDGES] * m.size[ELEMENTS]):
        for i in range(m.size[BLOCK]):
            out.lam[b][i] = w.lam[b][i]
    for r in range(m.counts[ROWS]):
        out.y[r] = 0.0
        out.s[r] = 0.0
        out.zl[r] = 0.0
        out.zu[r] = 0.0
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            out.s[r] = w.s[r]
            if w.low[r] > -FAR:
                out.zl[r] = w.zl[r]
            if w.high[r] < FAR:
                out.zu[r] = w.zu[r]
            out.y[r] = out.zu[r] - out.zl[r]
        else:
            out.y[r] = w.y[r]
    for n in range(m.counts[NODES]):
        for i in range(m.size[N_Y]):
            r = n * m.size[N_ROW] + i
            if w.sort[r] == FIXED:
                out.y[r] = -w.dn[n][i]
    return 0


def take_row(w: Work, r: int, warm: Answer, source: int) -> int:
    """Slack and multipliers of a row from row `source` of an answer."""
    w.s[r] = warm.s[source]
    w.zl[r] = warm.zl[source]
    w.zu[r] = warm.zu[source]
    if w.sort[r] == EQUALITY:
        w.y[r] = warm.y[source]
    return 0


def recenter(w: Work) -> int:
    """Slacks and multipliers of an answer moved to where their products are at least the barrier parameter.

    An active limit keeps its multiplier and gets a distance, an inactive one keeps its distance and gets a multiplier.
    """
    mu = w.number[N_MU]
    for k in range(w.state[ACTIVE]):
        r = w.active[k]
        if w.sort[r] == INEQUALITY:
            lower = w.low[r] > -FAR
            upper = w.high[r] < FAR
            s = w.s[r]
            if lower and upper:
                width = w.high[r] - w.low[r]
                least = min(mu / max(w.zl[r], mu), 0.1 * width)
                s = max(s, w.low[r] + least)
                least = min(mu / max(w.zu[r], mu), 0.1 * width)
                s = min(s, w.high[r] - least)
                s = max(s, w.low[r] + 1e-9 * width)
            elif lower:
                s = max(s, w.low[r] + min(mu / max(w.zl[r], mu), 1.0))
            else:
                s = min(s, w.high[r] - min(mu / max(w.zu[r], mu), 1.0))
            w.s[r] = s
            if lower:
                w.zl[r] = max(w.zl[r], mu / (s - w.low[r]))
            if upper:
                w.zu[r] = max(w.zu[r], mu / (w.high[r] - s))
    return 0


def take_answer(m: Ocp, d: Data, w: Work, warm: Answer) -> int:
    """The iterate from an answer, moved on by SHIFT edges; fixed variables take their values."""
    n_c = m.size[N_C]
    n_x = m.size[N_X]
    n_y = m.size[N_Y]
    width = m.size[N_ROW]
    shift = d.option[SHIFT]
    for n in range(m.counts[NODES]):
        node = n
        other = n
        if shift == 1:
            node = m.source[n]
            other = m.source_u[n]
        rows = n * width
        for i in range(n_x):
            w.x[n][i] = warm.x[node][i]
            if w.sort[rows + i] == FIXED:
                w.x[n][i] = w.low[rows + i]
            take_row(w, rows + i, warm, node * width + i)
        for i in range(n_x, n_y):
            w.u[n][i - n_x] = warm.u[other][i - n_x]
            if w.sort[rows + i] == FIXED:
                w.u[n][i - n_x] = w.low[rows + i]
        for i in range(n_x, width):
            take_row(w, rows + i, warm, other * width + i)
        if n > 0:
            e = n - 1
            before = node - 1
            for i in range(m.size[N_K]):
                w.kap[n][i] = warm.kap[node][i]
            for k in range(m.size[ELEMENTS]):
                for i in range(m.size[BLOCK]):
                    w.lam[e * m.size[ELEMENTS] + k][i] = warm.lam[before * m.size[ELEMENTS] + k][i]
            for j in range(m.size[POINTS]):
                point = e * m.size[POINTS] + j
                old = before * m.size[POINTS] + j
                for i in range(n_x):
                    w.xp[point][i] = warm.xp[old][i]
                for i in range(n_c, n_x):
                    w.xp[point][i] = w.x[m.parent[n]][i]
                for i in range(m.size[N_Z]):
                    w.zp[point][i] = warm.zp[old][i]
                for i in range(m.size[N_ROW_P]):
                    take_row(w, m.counts[FIRST_POINT_ROW] + point * m.size[N_ROW_P] + i, warm,
                             m.counts[FIRST_POINT_ROW] + old * m.size[N_ROW_P] + i)
    return 0
