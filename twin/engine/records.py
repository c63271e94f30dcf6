"""What the engine functions are handed: the model, the task and the work space, as tuples of arrays.

The same definitions are lists in Python, a C struct (every slot 8 bytes: a pointer, then the row lengths), and a numba
named tuple. Positions within the small integer and float rows are the constants below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

Kernel = Callable[..., object]
Vector = list[float]
Matrix = list[list[float]]
Cube = list[list[list[float]]]
Integers = list[int]
IntegerRows = list[list[int]]

# Model.size: the cell structure has `CELLS` cells of `M_X` states and `M_Z` algebraics (0 cells: dense), then a border.
N_X, N_Z, N_U, N_D, N_P, N_Y = 0, 1, 2, 3, 4, 5
CELLS, M_X, M_Z, B_X, B_Z = 6, 7, 8, 9, 10
NONZEROS, AUTONOMOUS, DIAGONAL, JACOBIAN, SIZE_LENGTH = 11, 12, 13, 14, 15  # JACOBIAN: length of that out


class Model(NamedTuple):
    """Kernels and structure of one System."""

    rhs: Kernel
    jacobian: Kernel
    input_jacobian: Kernel
    outputs: Kernel
    sensitivity: Kernel
    tangent: Kernel
    size: Integers
    pattern: IntegerRows  # dense: row, column; cells: which, i, j; each of length NONZEROS
    order: Integers  # position in [x, z] of each unknown of the linear system


# Task.counts
PHASES, PIDS, TIMES, MAX_STEPS, COLUMNS = 0, 1, 2, 3, 4
# Task.setting
T_START, T_STOP, RTOL, TINY = 0, 1, 2, 3
# Task.phase
SEGMENT, SEGMENT_STOP, END, ROLE, INDEX, SIGN, RESET, RESET_STOP = 0, 1, 2, 3, 4, 5, 6, 7
# Task.limit
LENGTH, LEVEL = 0, 1
# Values of Task.phase[END], of a role, of Task.kind, of Task.reset[WHAT] and of Task.active
BY_TIME, BY_CROSSING, AT_STOP = 0, 1, 2
STATE, ALGEBRAIC, OUTPUT = 0, 1, 2
KEPT, TABLE, LOOP = 0, 1, 2
ASSIGN, BOLUS, HARVEST, HARVEST_FRACTION = 0, 1, 2, 3
OFF, GOES_ON, STARTS = 0, 1, 2
# Task.reset
WHAT, WHERE = 0, 1
# Task.loop
LOOP_INPUT, LOOP_ROLE, LOOP_INDEX, POINT, POINT_STOP, LINEAR = 0, 1, 2, 3, 4, 5
# Task.gain
GAIN, INTEGRAL_TIME, DERIVATIVE_TIME, BIAS, LOWER, UPPER, SAMPLE = 0, 1, 2, 3, 4, 5, 6


class Task(NamedTuple):
    """A recipe and what is asked of it, as tables. Inputs and disturbances share one vector v = [u, d]."""

    counts: Integers
    setting: Vector
    atol: Vector  # of [x, z]
    phase: IntegerRows
    limit: Matrix
    kind: IntegerRows  # phase, v: KEPT, TABLE or LOOP
    segment: Matrix  # start within the phase, then v, then slope of v
    first: Vector  # v before the first phase
    reset: IntegerRows
    amount: Matrix  # amount, then contents by state
    dilutes: IntegerRows  # reset, state: 1 where the state is a concentration in the volume
    loop: IntegerRows
    gain: Matrix
    point: Matrix  # set-points: time since the start of the loop, value
    active: IntegerRows  # phase, loop
    times: Vector
    column: IntegerRows  # sensitivities: 0 and a parameter, or 1 and a state


# Work.clock
NOW, SIZE, SEGMENT_START, CLOCK_LENGTH = 0, 1, 2, 3
# Work.stat: counts, where it stands, and the component of [x, z] that gave trouble
STEPS, REJECTED, CALLS, JACOBIANS, FACTORS, ROW, EVENTS, PHASE = 0, 1, 2, 3, 4, 5, 6, 7
WORST, NAN, STAT_LENGTH = 8, 9, 10
# Rows of Work.x and Work.z
HERE, STAGE, NEW = 0, 1, 2
# Rows of Work.v
V_START, V_SLOPE = 0, 1
# Rows of Work.f
F0, F_T, LOAD, SPARE = 0, 1, 2, 3
# Work.loop_state
LOOP_START, SAMPLES, INTEGRAL, LAST = 0, 1, 2, 3


class Work(NamedTuple):
    """Buffers of one thread."""

    clock: Vector
    stat: Integers
    stop: Integers
    x: Matrix
    z: Matrix
    u: Vector
    d: Vector
    v: Matrix
    y: Vector
    f: Matrix
    stage: Matrix  # 8 stages, then the 3 rows of the dense output, each of [x, z]
    jac: Vector
    input_jac: Vector
    kernel: Vector  # work of the kernels
    loop_state: Matrix
    full: Matrix
    pivot: Integers
    gathered: Vector
    tail: Vector  # border
    diagonal: Cube  # cell blocks are transposed; two more blocks than cells: scratch
    upper: Cube
    lower: Cube
    column: Cube
    row: Cube
    s: Matrix  # sensitivities: column, [x, z]
    s_new: Matrix
    s_stage: Cube
    s_p: Vector  # extended parameters of the sensitivity kernels
    shift: Vector  # d(start of the phase)/dq of each column
