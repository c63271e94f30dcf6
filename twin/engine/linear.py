"""Linear systems (weight M - J) v = b of a Rosenbrock step: dense, or block-tridiagonal with a border. Engine subset.

M is 1 for states and 0 for algebraics. Every function that can fail returns 1 where the matrix is singular.
"""

# ruff: noqa: F403, F405
from __future__ import annotations

from twin.engine.dense import factor_dense, invert, multiply, solve_dense
from twin.engine.records import *

# Up to this size the inverse is formed: eight products with it wait less than eight substitutions.
SMALL = 8


def factor_cells(diagonal: Cube, upper: Cube, lower: Cube, pivot: Integers, cells: int, m: int, bare: int) -> int:
    """Block LU of a block-tridiagonal matrix D, U, L, all blocks transposed, so that rows are added to rows.

    `diagonal` becomes the inverses of the pivot blocks, `upper` the products E_c of these and U_c. Where the off-diagonal
    blocks are diagonal (`bare`), those diagonals stand in row 0 of `upper` and `lower`.
    """
    spare = diagonal[cells][0]
    for c in range(cells):
        block = diagonal[c]
        low = lower[c]
        if c > 0:
            for j in range(m):
                row = block[j]
                e = upper[c - 1][j]
                if bare == 1:
                    for i in range(m):
                        row[i] -= low[0][i] * e[i]
                else:
                    for k in range(m):
                        ratio = e[k]
                        for i in range(m):
                            row[i] -= ratio * low[k][i]
        if invert(block, pivot, m) != 0:
            return 1
        if c < cells - 1:
            right = upper[c]
            if bare == 1:
                for j in range(m):
                    spare[j] = right[0][j]
                for j in range(m):
                    row = right[j]
                    for i in range(m):
                        row[i] = block[j][i] * spare[j]
            else:
                for j in range(m):
                    row = right[j]
                    for i in range(m):
                        spare[i] = 0.0
                    for k in range(m):
                        ratio = row[k]
                        for i in range(m):
                            spare[i] += ratio * block[k][i]
                    for i in range(m):
                        row[i] = spare[i]
    return 0


def solve_cells(diagonal: Cube, upper: Cube, lower: Cube, b: Vector, cells: int, m: int, bare: int) -> int:
    """Replace `b` by the solution of the block-tridiagonal system, two block products a cell."""
    r = diagonal[cells][0]
    v = diagonal[cells + 1][0]
    for i in range(m):
        v[i] = 0.0
    for c in range(cells):
        at = c * m
        for i in range(m):
            r[i] = b[at + i]
        if c > 0:
            low = lower[c]
            if bare == 1:
                for i in range(m):
                    r[i] -= low[0][i] * v[i]
            else:
                for k in range(m):
                    value = v[k]
                    for i in range(m):
                        r[i] -= low[k][i] * value
        block = diagonal[c]
        for i in range(m):
            v[i] = block[0][i] * r[0]
        for k in range(1, m):
            value = r[k]
            for i in range(m):
                v[i] += block[k][i] * value
        for i in range(m):
            b[at + i] = v[i]
    for back in range(1, cells):
        c = cells - 1 - back
        at = c * m
        for i in range(m):
            r[i] = b[at + i]
        e = upper[c]
        for k in range(m):
            value = v[k]
            for i in range(m):
                r[i] -= e[k][i] * value
        for i in range(m):
            v[i] = r[i]
            b[at + i] = r[i]
    return 0


def fill_dense(m: Model, w: Work, weight: float, frozen: int) -> int:
    """Write weight M - J into `full`; `frozen` puts the unit matrix in the rows of the states."""
    n_x = m.size[N_X]
    n = n_x + m.size[N_Z]
    a = w.full
    jac = w.jac
    rows = m.pattern[0]
    columns = m.pattern[1]
    for i in range(n):
        row = a[i]
        for j in range(n):
            row[j] = 0.0
    for k in range(m.size[NONZEROS]):
        a[rows[k]][columns[k]] = -jac[k]
    if frozen == 1:
        for i in range(n_x):
            row = a[i]
            for j in range(n):
                row[j] = 0.0
            row[i] = 1.0
    else:
        for i in range(n_x):
            a[i][i] += weight
    return 0


def fill_cells(m: Model, w: Work, weight: float, frozen: int) -> int:
    """Write weight M - J into the blocks, transposed, and the border."""
    cells = m.size[CELLS]
    m_x = m.size[M_X]
    size = m_x + m.size[M_Z]
    b_x = m.size[B_X]
    border = b_x + m.size[B_Z]
    bare = m.size[DIAGONAL]
    nonzeros = m.size[NONZEROS]
    which = m.pattern[0]
    rows = m.pattern[1]
    columns = m.pattern[2]
    jac = w.jac
    at = 0
    for c in range(cells):
        own = w.diagonal[c]
        left = w.lower[c]
        right = w.upper[c]
        column = w.column[c]
        for i in range(size):
            for j in range(size):
                own[i][j] = 0.0
        for i in range(1 if bare == 1 else size):
            for j in range(size):
                left[i][j] = 0.0
                right[i][j] = 0.0
        for j in range(border):
            for i in range(size):
                column[j][i] = 0.0
        for k in range(nonzeros):
            i = rows[k]
            if frozen == 0 or i >= m_x:
                j = columns[k]
                value = -jac[at + k]
                if which[k] == 1:
                    own[j][i] = value
                elif which[k] == 0:
                    left[0 if bare == 1 else j][i] = value
                elif which[k] == 2:
                    right[0 if bare == 1 else j][i] = value
                else:
                    column[j][i] = value
        at += nonzeros
        if frozen == 1:
            for i in range(m_x):
                own[i][i] = 1.0
        else:
            for i in range(m_x):
                own[i][i] += weight
    for k in range(border):
        for c in range(cells):
            row = w.row[k][c]
            for j in range(size):
                row[j] = 0.0 if frozen == 1 and k < b_x else -jac[at]
                at += 1
    for k in range(border):
        row = w.full[k]
        for j in range(border):
            row[j] = 0.0 if frozen == 1 and k < b_x else -jac[at]
            at += 1
        if k < b_x:
            row[k] += 1.0 if frozen == 1 else weight
    return 0


def factor(m: Model, w: Work, weight: float, frozen: int) -> int:
    """Factors of weight M - J with the Jacobian in `jac`; see `fill_dense` for `frozen`."""
    cells = m.size[CELLS]
    if cells == 0:
        n = m.size[N_X] + m.size[N_Z]
        fill_dense(m, w, weight, frozen)
        if n <= SMALL:
            return invert(w.full, w.pivot, n)
        return factor_dense(w.full, w.pivot, n)
    fill_cells(m, w, weight, frozen)
    size = m.size[M_X] + m.size[M_Z]
    border = m.size[B_X] + m.size[B_Z]
    bare = m.size[DIAGONAL]
    if factor_cells(w.diagonal, w.upper, w.lower, w.pivot, cells, size, bare) != 0:
        return 1
    if border > 0:
        spare = w.gathered
        for k in range(border):
            for c in range(cells):
                for i in range(size):
                    spare[c * size + i] = w.column[c][k][i]
            solve_cells(w.diagonal, w.upper, w.lower, spare, cells, size, bare)
            for c in range(cells):
                for i in range(size):
                    w.column[c][k][i] = spare[c * size + i]
            for j in range(border):
                total = w.full[j][k]
                for c in range(cells):
                    row = w.row[j][c]
                    for i in range(size):
                        total -= row[i] * spare[c * size + i]
                w.full[j][k] = total
        return factor_dense(w.full, w.pivot, border)
    return 0


def solve(m: Model, w: Work, b: Vector) -> int:
    """Replace `b`, in the order [x, z], by the solution with the factors of `factor`."""
    cells = m.size[CELLS]
    if cells == 0:
        n = m.size[N_X] + m.size[N_Z]
        if n <= SMALL:
            return multiply(w.full, b, w.gathered, n)
        return solve_dense(w.full, w.pivot, b, n)
    size = m.size[M_X] + m.size[M_Z]
    border = m.size[B_X] + m.size[B_Z]
    bare = m.size[DIAGONAL]
    if border == 0 and m.size[M_Z] == 0:
        return solve_cells(w.diagonal, w.upper, w.lower, b, cells, size, bare)
    inner = cells * size
    order = m.order
    v = w.gathered
    for k in range(inner + border):
        v[k] = b[order[k]]
    solve_cells(w.diagonal, w.upper, w.lower, v, cells, size, bare)
    if border > 0:
        tail = w.tail
        for k in range(border):
            total = v[inner + k]
            for c in range(cells):
                row = w.row[k][c]
                for i in range(size):
                    total -= row[i] * v[c * size + i]
            tail[k] = total
        solve_dense(w.full, w.pivot, tail, border)
        for c in range(cells):
            column = w.column[c]
            for k in range(border):
                value = tail[k]
                for i in range(size):
                    v[c * size + i] -= column[k][i] * value
        for k in range(border):
            v[inner + k] = tail[k]
    for k in range(inner + border):
        b[order[k]] = v[k]
    return 0
