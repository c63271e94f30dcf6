"""Small dense linear systems. Engine subset.

Every function that can fail returns 1 where the matrix is singular.
"""

from __future__ import annotations

from twin.engine.records import Integers, Matrix, Vector


def multiply(a: Matrix, b: Vector, spare: Vector, n: int) -> int:
    """Replace `b` by the product a b."""
    for i in range(n):
        row = a[i]
        total = row[0] * b[0]
        for j in range(1, n):
            total += row[j] * b[j]
        spare[i] = total
    for i in range(n):
        b[i] = spare[i]
    return 0


def bring_up(a: Matrix, pivot: Integers, k: int, n: int) -> int:
    """Exchange row k for the one below with the largest element in column k, and note which it was."""
    best = k
    size = abs(a[k][k])
    for i in range(k + 1, n):
        if abs(a[i][k]) > size:
            best = i
            size = abs(a[i][k])
    if not (size > 0.0 and size < 1e300):
        return 1
    pivot[k] = best
    if best != k:
        top = a[k]
        other = a[best]
        for j in range(n):
            keep = top[j]
            top[j] = other[j]
            other[j] = keep
    return 0


def factor_dense(a: Matrix, pivot: Integers, n: int) -> int:
    """LU factors of `a` in place, rows exchanged for the largest pivot, whose reciprocal is stored."""
    for k in range(n):
        if bring_up(a, pivot, k, n) != 0:
            return 1
        top = a[k]
        inverse = 1.0 / top[k]
        top[k] = inverse
        for i in range(k + 1, n):
            row = a[i]
            if row[k] != 0.0:
                ratio = row[k] * inverse
                row[k] = ratio
                for j in range(k + 1, n):
                    row[j] -= ratio * top[j]
    return 0


def solve_dense(a: Matrix, pivot: Integers, b: Vector, n: int) -> int:
    """Replace `b` by the solution, with the factors of `factor_dense`."""
    for k in range(n):
        other = pivot[k]
        if other != k:
            keep = b[k]
            b[k] = b[other]
            b[other] = keep
    for i in range(1, n):
        row = a[i]
        total = b[i]
        for j in range(i):
            total -= row[j] * b[j]
        b[i] = total
    for back in range(n):
        i = n - 1 - back
        row = a[i]
        total = b[i]
        for j in range(i + 1, n):
            total -= row[j] * b[j]
        b[i] = total * row[i]
    return 0


def invert(a: Matrix, pivot: Integers, n: int) -> int:
    """Inverse of `a` in place by Gauss-Jordan elimination, rows exchanged for the largest pivot."""
    for k in range(n):
        if bring_up(a, pivot, k, n) != 0:
            return 1
        top = a[k]
        inverse = 1.0 / top[k]
        top[k] = 1.0
        for j in range(n):
            top[j] *= inverse
        for i in range(n):
            if i != k:
                row = a[i]
                ratio = row[k]
                row[k] = 0.0
                for j in range(n):
                    row[j] -= ratio * top[j]
    for back in range(n):
        k = n - 1 - back
        other_column = pivot[k]
        if other_column != k:
            for i in range(n):
                row = a[i]
                keep = row[k]
                row[k] = row[other_column]
                row[other_column] = keep
    return 0


def solve_rows(a: Matrix, pivot: Integers, b: Matrix, n: int, columns: int) -> int:
    """Replace the columns of `b` by the solutions, with the factors of `factor_dense`."""
    for k in range(n):
        if pivot[k] != k:
            top = b[k]
            other = b[pivot[k]]
            for j in range(columns):
                keep = top[j]
                top[j] = other[j]
                other[j] = keep
    for i in range(1, n):
        row = a[i]
        out = b[i]
        for k in range(i):
            ratio = row[k]
            if ratio != 0.0:
                done = b[k]
                for j in range(columns):
                    out[j] -= ratio * done[j]
    for back in range(n):
        i = n - 1 - back
        row = a[i]
        out = b[i]
        for k in range(i + 1, n):
            ratio = row[k]
            if ratio != 0.0:
                done = b[k]
                for j in range(columns):
                    out[j] -= ratio * done[j]
        inverse = row[i]
        for j in range(columns):
            out[j] *= inverse
    return 0


def solve_transposed(a: Matrix, pivot: Integers, b: Vector, n: int) -> int:
    """Replace `b` by the solution of the transposed system, with the factors of `factor_dense`."""
    for k in range(n):
        row = a[k]
        value = b[k] * row[k]
        b[k] = value
        if value != 0.0:
            for j in range(k + 1, n):
                b[j] -= row[j] * value
    for back in range(n):
        k = n - 1 - back
        row = a[k]
        value = b[k]
        for j in range(k):
            b[j] -= row[j] * value
    for back in range(n):
        k = n - 1 - back
        other = pivot[k]
        if other != k:
            keep = b[k]
            b[k] = b[other]
            b[other] = keep
    return 0
