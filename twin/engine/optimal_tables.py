"""An optimal-control problem as the tables and kernels that the engine takes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from twin import errors
from twin.engine import ocp_records as r
from twin.engine.optimal_spec import OcpSpec
from twin.lowering.optimal import Lowered, lower_function
from twin.lowering.program import Program

KERNELS = ("point", "stage", "terminal", "initial")


@dataclasses.dataclass(frozen=True)
class Tables:
    """Sizes, structure and programs of one problem; `fields` are those of records.Ocp that are not kernels."""

    fields: dict[str, Any]
    programs: dict[str, Program]  # by field of Ocp
    kernel_outs: tuple[int, int]  # longest out of a node and of a point


def radau(degree: int) -> tuple[list[float], list[list[float]], list[float]]:
    """Radau IIA points in (0, 1], derivatives of the Lagrange polynomials through 0 and them, weights of the quadrature.

    E. Hairer, G. Wanner, Solving Ordinary Differential Equations II, section IV.5: the points are the zeros of the
    derivative of order degree - 1 of x^(degree-1) (x - 1)^degree.
    """
    import numpy as np

    polynomial = np.polynomial.Polynomial
    base = polynomial([0, 1]) ** (degree - 1) * polynomial([-1, 1]) ** degree
    tau = np.sort(base.deriv(degree - 1).roots().real) if degree > 1 else np.array([1.0])
    for _ in range(3):  # roots of a companion matrix, polished
        f = base.deriv(degree - 1) if degree > 1 else polynomial([-1, 1])
        tau = tau - f(tau) / f.deriv()(tau)
    tau[-1] = 1.0
    nodes = np.concatenate([[0.0], tau])
    slope = np.zeros((degree + 1, degree + 1))
    for k in range(degree + 1):
        others = np.delete(nodes, k)
        basis = polynomial.fromroots(others) / np.prod(nodes[k] - others)
        slope[:, k] = basis.deriv()(nodes)
    weights = []
    for k in range(degree):
        others = np.delete(tau, k)
        basis = (polynomial.fromroots(others) if degree > 1 else polynomial([1.0])) / np.prod(tau[k] - others)
        weights.append(float(basis.integ()(1.0)))
    return [float(v) for v in tau], slope.tolist(), weights


def _flat(parts: Sequence[Any], counts: Sequence[int], where: str, names: Sequence[str]) -> Any:
    """The values of a function as one vector, checked."""
    import jax.numpy as jnp

    out = []
    for part, count, name in zip(parts, counts, names, strict=True):
        vector = jnp.reshape(jnp.asarray(part, jnp.float64), (-1,)) if not (isinstance(part, tuple | list) and not part) \
            else jnp.zeros(0)
        if vector.shape[0] != count:
            raise errors.SpecError(f"{where} returns {vector.shape[0]} {name}. Expected {count}.")
        out.append(vector)
    return jnp.concatenate(out)


def _point(spec: OcpSpec) -> Lowered:
    import jax.numpy as jnp

    sx, su, sz, sp = (jnp.asarray(spec.scale(f)) for f in ("x_scale", "u_scale", "z_scale", "path_scale"))
    counts = (spec.n_c, spec.n_z, spec.n_path, 1)

    def function(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        f, g, c, cost = spec.point(t, x * sx, z * sz, u * su, d[0], p)  # type: ignore[misc]
        flat = _flat((f, g, c, cost), counts, f"{spec.name}: point", ("derivatives", "residuals", "path values", "integrands"))
        size = jnp.concatenate([sx[:spec.n_c], jnp.ones(spec.n_z), sp, jnp.ones(1)])
        return flat / size

    sizes = {"x": spec.n_x, "z": spec.n_z, "u": spec.n_u, "d": 1, "p": spec.n_p_edge}
    n_v = spec.n_c + spec.n_z

    def order(i: int, j: int, second: bool) -> Any:
        other = [not (k < spec.n_c or spec.n_x <= k < spec.n_x + spec.n_z) for k in (i, j)]
        if second:
            return sum(other), i, j
        return (0, other[1], i, j) if i < n_v else (1, i, j)

    return lower_function(function, "point", sizes, order)


def _node(spec: OcpSpec, name: str) -> Lowered:
    import jax.numpy as jnp

    count = spec.row_counts[("stage", "terminal", "initial").index(name)]
    field = {"stage": "row_scale", "terminal": "terminal_row_scale", "initial": "initial_row_scale"}[name]
    sx, su, sr = jnp.asarray(spec.scale("x_scale")), jnp.asarray(spec.scale("u_scale")), jnp.asarray(spec.scale(field))
    given = getattr(spec, name)

    def function(t: Any, x: Any, z: Any, u: Any, d: Any, p: Any) -> Any:
        if given is None:
            parts = (0.0, ())
        else:
            parts = given(x * sx, p) if name == "terminal" else given(x * sx, u * su, p)
        return _flat(parts, (1, count), f"{spec.name}: {name}", ("costs", "rows")) / jnp.concatenate([jnp.ones(1), sr])

    sizes = {"x": spec.n_x, "z": 0, "u": spec.n_u, "d": 0, "p": spec.n_p_node}
    return lower_function(function, name, sizes)


def sizes_of(spec: OcpSpec) -> list[int]:
    """Ocp.size without the numbers of nonzeros, which only the lowering knows."""
    size = [0] * r.OCP_SIZE
    n_x, n_y, n_v = spec.n_x, spec.n_x + spec.n_u, spec.n_c + spec.n_z
    rows = max(spec.row_counts)
    size[:r.N_Q + 1] = [spec.n_c, len(spec.carried), n_x, spec.n_z, spec.n_u, spec.n_path, rows, n_y, n_v, n_y + spec.n_z]
    size[r.DEGREE], size[r.ELEMENTS], size[r.POINTS] = spec.degree, spec.elements, spec.points
    size[r.BLOCK], size[r.N_F] = spec.degree * n_v, n_v + spec.n_path + 1
    size[r.N_ROW], size[r.N_ROW_P] = n_y + rows, n_v + spec.n_path
    size[r.D_STAGE], size[r.D_TERMINAL], size[r.D_INITIAL] = spec.row_counts
    return size


def counts_of(spec: OcpSpec) -> list[int]:
    """Ocp.counts."""
    size = sizes_of(spec)
    first = spec.nodes * size[r.N_ROW]
    return [spec.nodes, spec.nodes - 1, first + (spec.nodes - 1) * spec.points * size[r.N_ROW_P], first]


MOST_KNOWN = 32
_known: dict[Any, dict[str, Lowered]] = {}


def lowered_of(spec: OcpSpec) -> dict[str, Lowered]:
    """The functions of a problem with their derivatives; another tree of the same functions costs nothing."""
    import jax

    scales = tuple(tuple(spec.scale(f)) for f in spec.scale_lengths())
    key = (spec.point if spec.nodes > 1 else None, spec.stage, spec.terminal, spec.initial, scales, spec.row_counts,
           spec.n_p_edge, spec.n_p_node, spec.n_c)
    if key not in _known:
        with jax.enable_x64(True):
            lowered = {"stage": _node(spec, "stage"), "terminal": _node(spec, "terminal")}
            lowered["initial"] = _node(spec, "initial") if spec.initial is not None else lowered["stage"]
            if spec.nodes > 1:
                lowered["point"] = _point(spec)
        while len(_known) >= MOST_KNOWN:
            _known.pop(next(iter(_known)))
        _known[key] = lowered
    return _known[key]


def tables_of(spec: OcpSpec) -> Tables:
    """Lower a problem."""
    lowered = lowered_of(spec)
    programs = {}
    for name in KERNELS:
        found = lowered.get(name, lowered["stage"])
        programs[name], programs[f"{name}_all"] = found.values, found.derivatives
    size, counts = sizes_of(spec), counts_of(spec)
    n_v, rows = size[r.N_V], size[r.N_D]
    fields: dict[str, Any] = {}
    for name, at in zip(KERNELS[1:], (r.JAC_S, r.JAC_T, r.JAC_I), strict=True):
        jac, hes = lowered[name].jacobian, lowered[name].hessian
        size[at], size[at + 1] = len(jac), len(hes)
        fields[f"{name}_jac"], fields[f"{name}_hes"] = _transposed(jac), _transposed(hes)
    column, first, second = point_patterns(spec, lowered.get("point"))
    fields["column"], fields["point_jac"], fields["point_hes"] = column, _transposed(first), _transposed(second)
    size[r.N_A], size[r.N_Q], size[r.JAC_P], size[r.HES_P] = len(column), n_v + len(column), len(first), len(second)
    size[r.JAC_V] = sum(i < n_v and j < n_v for i, j in first)
    size[r.PATH_AT] = sum(i < n_v for i, _ in first)
    size[r.COST_AT] = sum(i < n_v + spec.n_path for i, _ in first)
    size[r.HES_VV] = sum(i < n_v and j < n_v for i, j in second)
    size[r.HES_VA] = sum(i < n_v for i, _ in second)
    tau, slope, quad = radau(spec.degree)
    scale = [*spec.scale("x_scale"), *spec.scale("u_scale")]
    pad = lambda field: [*spec.scale(field), *[1.0] * (rows - len(spec.scale(field)))]  # noqa: E731
    initial = "initial_row_scale" if spec.initial is not None else "row_scale"
    fields |= tree_of(spec) | {
        "size": size, "counts": counts, "carry": [[float(c.keep), float(c.gain)] for c in spec.carried],
        "carry_input": [c.input for c in spec.carried], "slope": slope, "tau": tau, "quad": quad,
        "node_scale": [[*scale, *pad(f)] for f in ("row_scale", "terminal_row_scale", initial)],
        "point_scale": [*spec.scale("x_scale")[:spec.n_c], *spec.scale("z_scale"), *spec.scale("path_scale")],
    }
    node_out = max(programs[f"{n}_all"].size("out") for n in KERNELS[1:])
    return Tables(fields, programs, (node_out, programs["point_all"].size("out")))


def _transposed(pairs: Sequence[tuple[int, int]]) -> list[list[int]]:
    return [list(part) for part in zip(*pairs, strict=True)] or [[], []]


def point_patterns(spec: OcpSpec, point: Lowered | None) -> tuple[list[int], list[tuple[int, int]], list[tuple[int, int]]]:
    """Places in [X, U] that matter to the points, and the nonzeros of a point in the order [unknowns, these]."""
    n_c, n_x, n_z, n_v = spec.n_c, spec.n_x, spec.n_z, spec.n_c + spec.n_z
    column = list(range(n_c))
    if point is None:
        return column, [], []
    local = {c: c for c in range(n_c)} | {n_x + i: n_c + i for i in range(n_z)}
    used = {j for _, j in point.jacobian} | {j for pair in point.hessian for j in pair}
    for c in sorted(used - set(local)):
        local[c] = n_v + len(column)
        column.append(c if c < n_x else c - n_z)
    jac = [(i, local[j]) for i, j in point.jacobian]
    hes = [(min(local[i], local[j]), max(local[i], local[j])) for i, j in point.hessian]
    return column, jac, hes


def tree_of(spec: OcpSpec) -> dict[str, list[int]]:
    """The tree: parents, kinds of nodes, and whose values a node takes when the horizon moves on."""
    parents = list(spec.parents)
    children: list[list[int]] = [[] for _ in parents]
    for n, p in enumerate(parents):
        if p >= 0:
            children[p].append(n)
    has_u = [int(bool(children[n]) or len(parents) == 1) for n in range(len(parents))]
    kind = [r.STAGE_KIND if u else r.TERMINAL_KIND for u in has_u]
    if spec.initial is not None:
        kind[0] = r.INITIAL_KIND
    source = [children[n][0] if children[n] else n for n in range(len(parents))]
    source_u = [s if has_u[s] == has_u[n] else n for n, s in enumerate(source)]
    return {"parent": parents, "kind": kind, "source": source, "source_u": source_u, "has_u": has_u}


def data_shapes(spec: OcpSpec) -> dict[str, tuple[int, ...]]:
    """Shape of each field of records.Data."""
    size, count = sizes_of(spec), counts_of(spec)
    nodes, edges = count[r.NODES], count[r.EDGES]
    points = edges * size[r.POINTS]
    return {"option": (r.OPTION_LENGTH,), "setting": (r.SETTING_LENGTH,), "node_low": (nodes, size[r.N_ROW]),
            "node_high": (nodes, size[r.N_ROW]), "point_low": (points, size[r.N_ROW_P]), "point_high": (points, size[r.N_ROW_P]),
            "p_edge": (edges, spec.n_p_edge), "p_node": (nodes, spec.n_p_node), "t_start": (edges,), "length": (edges,),
            "weight_node": (nodes,), "weight_edge": (edges,), "guess_x": (nodes, size[r.N_X]), "guess_u": (nodes, size[r.N_U]),
            "guess_xp": (points, size[r.N_C]), "guess_zp": (points, size[r.N_Z]), "g_first": (nodes + 1,)}


def answer_shapes(t: Tables) -> dict[str, tuple[int, ...]]:
    """Shape of each field of records.Answer."""
    size, count = t.fields["size"], t.fields["counts"]
    nodes, edges, rows = count[r.NODES], count[r.EDGES], count[r.ROWS]
    points, blocks = edges * size[r.POINTS], edges * size[r.ELEMENTS]
    return {"x": (nodes, size[r.N_X]), "u": (nodes, size[r.N_U]), "xp": (points, size[r.N_X]), "zp": (points, size[r.N_Z]),
            "lam": (blocks, size[r.BLOCK]), "kap": (nodes, size[r.N_K]), "s": (rows,), "zl": (rows,), "zu": (rows,),
            "y": (rows,), "costate": (nodes, size[r.N_X]), "info": (r.INFO_LENGTH,), "stat": (r.STAT_LENGTH,)}


def work_shapes(t: Tables, equalities: int, longest: int) -> dict[str, tuple[int, ...]]:
    """Shape of each field of records.Work; `equalities` rows in all, at most `longest` at a node."""
    size, count = t.fields["size"], t.fields["counts"]
    nodes, edges, rows = count[r.NODES], count[r.EDGES], count[r.ROWS]
    n_x, n_u, n_z, n_k, n_y, n_q, block = (size[k] for k in (r.N_X, r.N_U, r.N_Z, r.N_K, r.N_Y, r.N_Q, r.BLOCK))
    points, blocks, n_a = edges * size[r.POINTS], edges * size[r.ELEMENTS], size[r.N_A]
    answer = answer_shapes(t)
    out: dict[str, tuple[int, ...]] = {"stop": (1,), "state": (r.STATE_LENGTH,), "number": (r.NUMBER_LENGTH,)}
    out |= {k: answer[k] for k in ("x", "u", "xp", "zp", "lam", "kap", "s", "zl", "zu", "y")}
    out |= {"tx": (nodes, n_x), "tu": (nodes, n_u), "txp": (points, n_x), "tzp": (points, n_z), "ts": (rows,),
            "dy": (nodes, n_y), "dv": (blocks, block), "ds": (rows,), "dzl": (rows,), "dzu": (rows,),
            "lam_new": (blocks, block), "kap_new": (nodes, n_k), "y_new": (rows,), "costate": (nodes, n_x)}
    out |= {k: (rows,) for k in ("low", "high", "sort", "active", "val", "tval", "weight", "pull", "along")}
    out |= {"res": (blocks, block), "gap": (nodes, n_k), "tres": (blocks, block), "tgap": (nodes, n_k),
            "cres": (blocks, block), "cgap": (nodes, n_k), "cval": (rows,), "cost_node": (nodes,), "cost_point": (points,),
            "node_out": (nodes, t.kernel_outs[0]), "point_out": (points, t.kernel_outs[1]), "out": (max(t.kernel_outs),),
            "multiplier": (2 + max(size[r.N_F], size[r.N_D]),), "none": (1,),
            "kernel": (max(1, max(p.size("work") for p in t.programs.values())),)}
    out |= {"lu": (blocks, block, block), "lu_pivot": (blocks, block), "v": (blocks, block, n_a), "v0": (blocks, block),
            "hv": (size[r.N_V], n_a), "qa": (n_a, n_a), "ga": (n_a,), "pb": (n_x,), "path_row": (n_a,), "q": (n_q,),
            "tq": (n_q,), "adjoint": (n_x,), "h": (nodes, n_y, n_y), "hn": (nodes, n_y), "inverse": (nodes, n_y),
            "diagonal": (n_y,), "done": (nodes, n_y),
            "b": (nodes, n_x)}
    total = equalities
    out |= {"g_count": (nodes, 3), "g": (total, n_y), "g_own": (total,), "g_up": (total,), "g_row": (total,),
            "g_column": (total,), "g_pivot": (total,), "g_a": (total, n_y), "g_h": (total, n_y), "g_f": (total, longest),
            "g_at": (total,), "g_a0": (total,), "g_hk": (total,), "g_eta": (total,), "g_given": (total,), "g_left": (total,)}
    out |= {"dn": (nodes, n_y), "dp": (points, max(1, size[r.N_V])), "filter": (2 * 200, 2), "reference": (nodes, n_u),
            "trace": (r.TRACED, 8)}
    return out
