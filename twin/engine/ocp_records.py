"""What the optimal-control solver is handed: problem, data of one solve, answer and work space, as tuples of arrays.

Nodes of a tree carry states X and inputs U; the edge that leads to node n has number n - 1 and carries the collocation
points. X is [collocated, carried]. Within the solver all variables and rows are scaled.
"""

from __future__ import annotations

from typing import NamedTuple

from twin.engine.records import Cube, IntegerRows, Integers, Kernel, Matrix, Vector

# Ocp.size: known when the code is compiled. N_Y = N_X + N_U; N_V = N_C + N_Z unknowns a point; N_A of the [X, U] of the
# parent matter to the points of an edge, first the collocated states; N_Q = N_V + N_A.
N_C, N_K, N_X, N_Z, N_U, N_PATH, N_D, N_Y, N_V, N_Q = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9
DEGREE, ELEMENTS, POINTS, BLOCK = 10, 11, 12, 13  # POINTS an edge, BLOCK = DEGREE N_V
N_F, N_ROW, N_ROW_P = 14, 15, 16  # values of the point function; rows a node [X, U, D]; rows a point [x, z, path]
D_STAGE, D_TERMINAL, D_INITIAL = 17, 18, 19
JAC_P, HES_P, JAC_S, HES_S, JAC_T, HES_T, JAC_I, HES_I = 20, 21, 22, 23, 24, 25, 26, 27  # numbers of nonzeros
PATH_AT, COST_AT = 28, 29  # first nonzero of the path rows and of the integrand's row in point_jac
N_A, JAC_V, HES_VV, HES_VA, OCP_SIZE = 30, 31, 32, 33, 34  # nonzeros of equations by unknowns; ends of groups of point_hes
# Ocp.counts: known when it runs.
NODES, EDGES, ROWS, FIRST_POINT_ROW, OCP_COUNT = 0, 1, 2, 3, 4
# Ocp.kind
STAGE_KIND, TERMINAL_KIND, INITIAL_KIND = 0, 1, 2


class Ocp(NamedTuple):
    """Kernels, structure and tree. Kernel outs: values, nonzeros of the Jacobian, nonzeros of the lower Hessian."""

    point: Kernel
    point_all: Kernel
    stage: Kernel
    stage_all: Kernel
    terminal: Kernel
    terminal_all: Kernel
    initial: Kernel
    initial_all: Kernel
    size: Integers
    counts: Integers
    parent: Integers
    kind: Integers
    source: Integers  # node whose states a node takes when the horizon moves on
    source_u: Integers  # and whose inputs
    has_u: Integers
    carry: Matrix  # keep, gain of each carried state
    carry_input: Integers
    slope: Matrix  # row j: derivative at point j (1 to degree) by the values at points 0 to degree
    tau: Vector
    quad: Vector
    column: Integers  # the N_A places in [X, U]
    point_jac: IntegerRows  # row, place in [unknowns, N_A]; equations by unknowns, equations by others, path rows, integrand
    point_hes: IntegerRows  # unknown and unknown, unknown and other, other and other
    stage_jac: IntegerRows
    stage_hes: IntegerRows
    terminal_jac: IntegerRows
    terminal_hes: IntegerRows
    initial_jac: IntegerRows
    initial_hes: IntegerRows
    node_scale: Matrix  # kind, row
    point_scale: Vector


# Data.option
START, SHIFT, MAX_ITERATIONS, KEEP_LAST, ATTEMPTS, OPTION_LENGTH = 0, 1, 2, 3, 4, 5
FROM_ROLLOUT, FROM_NODES, FROM_POINTS, FROM_ANSWER = 0, 1, 2, 3
# Data.setting
TOLERANCE, MU_START, SETTING_LENGTH = 0, 1, 2


class Data(NamedTuple):
    """Bounds, parameters and guess of one solve, in the user's units."""

    option: Integers
    setting: Vector
    node_low: Matrix
    node_high: Matrix
    point_low: Matrix
    point_high: Matrix
    p_edge: Matrix
    p_node: Matrix
    t_start: Vector
    length: Vector
    weight_node: Vector
    weight_edge: Vector
    guess_x: Matrix
    guess_u: Matrix
    guess_xp: Matrix
    guess_zp: Matrix
    g_first: Integers  # node: first of its equality rows in the work space


# Answer.info
OBJECTIVE, ERROR, VIOLATION, MU, FACTOR, INFO_LENGTH = 0, 1, 2, 3, 4, 5
# Answer.stat
ITERATIONS, RESTORATIONS, FACTORS, WORST_ROW, HAS_ANSWER, FURTHER_STARTS, STAT_LENGTH = 0, 1, 2, 3, 4, 5, 6


class Answer(NamedTuple):
    """An iterate, scaled: what a solve returns and what a warm start takes."""

    x: Matrix
    u: Matrix
    xp: Matrix
    zp: Matrix
    lam: Matrix
    kap: Matrix
    s: Vector
    zl: Vector
    zu: Vector
    y: Vector
    costate: Matrix
    info: Vector
    stat: Integers


# Work.sort: what a row is; a FIXED variable never moves
ABSENT, INEQUALITY, EQUALITY, FIXED = 0, 1, 2, 3
# Work.done: how a variable of a node is eliminated
BY_PIVOT, HELD, BY_EQUALITY = 0, 1, 2
# Work.state
ELASTIC, ACTIVE, EDGES_LEFT, FILTERED, HELD_BACK, HAS_BEST, FILTERED_MAIN, TINY_STEPS = 0, 1, 2, 3, 4, 5, 6, 7
ELASTIC_TIMES, ATTEMPT, BLOCKED, RESETS, STATIONARY, BEGAN, SHORT, STATE_LENGTH = 8, 9, 10, 11, 12, 13, 14, 15
# Work.number
N_MU, COST_FACTOR, OMEGA, DELTA, DELTA_LAST, PROX, BEST_COST, THETA_MOST, THETA_SMALL = 0, 1, 2, 3, 4, 5, 6, 7, 8
COST, THETA, PHI, T_COST, T_THETA, T_PHI, MU_MAIN, THETA_REFERENCE = 9, 10, 11, 12, 13, 14, 15, 16
MOST_MAIN, SMALL_MAIN, DUAL_ERROR, PRIMAL_ERROR, GAP_SCALE, ALPHA, LEAST_VIOLATION, NUMBER_LENGTH = 17, 18, 19, 20, 21, 22, 23, 24
TRACED = 400  # iterations that the trace holds


class Work(NamedTuple):
    """Buffers of one thread."""

    stop: Integers
    state: Integers
    number: Vector
    # Iterate, trial and step.
    x: Matrix
    u: Matrix
    xp: Matrix
    zp: Matrix
    lam: Matrix  # block, equation
    kap: Matrix
    s: Vector
    zl: Vector
    zu: Vector
    y: Vector
    tx: Matrix
    tu: Matrix
    txp: Matrix
    tzp: Matrix
    ts: Vector
    dy: Matrix  # node, [X, U]
    dv: Matrix  # block, unknown
    ds: Vector
    dzl: Vector
    dzu: Vector
    lam_new: Matrix
    kap_new: Matrix
    y_new: Vector
    costate: Matrix
    # Rows: bounds, what they are, values, weight and pull of their elimination, change along the step.
    low: Vector
    high: Vector
    sort: Integers
    active: Integers
    val: Vector
    tval: Vector
    weight: Vector
    pull: Vector
    along: Vector
    # Residuals of the dynamics.
    res: Matrix
    gap: Matrix
    tres: Matrix
    tgap: Matrix
    cres: Matrix  # the ones that a step is computed for
    cgap: Matrix
    cval: Vector
    # Kernels.
    cost_node: Vector
    cost_point: Vector
    node_out: Matrix
    point_out: Matrix
    out: Vector
    multiplier: Vector
    none: Vector
    kernel: Vector
    # Elimination of the collocation points.
    lu: Cube
    lu_pivot: IntegerRows
    v: Cube
    v0: Matrix
    hv: Matrix
    qa: Matrix
    ga: Vector
    pb: Vector
    path_row: Vector
    q: Vector
    tq: Vector
    adjoint: Vector
    # Riccati recursion.
    h: Cube
    hn: Matrix
    inverse: Matrix
    diagonal: Vector
    done: IntegerRows
    b: Matrix
    # Equalities within it.
    g_count: IntegerRows  # node: rows, eliminated inputs, rows handed to the parent
    g: Matrix
    g_own: Integers
    g_up: Integers
    g_row: Integers
    g_column: Integers
    g_pivot: Vector
    g_a: Matrix
    g_h: Matrix
    g_f: Matrix
    g_at: Vector
    g_a0: Vector
    g_hk: Vector
    g_eta: Vector
    g_given: Vector
    g_left: Integers
    # Gradient of the Lagrangian.
    dn: Matrix
    dp: Matrix
    filter: Matrix
    reference: Matrix  # inputs at the start of a restoration
    trace: Matrix  # iteration: mu, cost, theta, dual error, regularization, step; as many as it has rows
