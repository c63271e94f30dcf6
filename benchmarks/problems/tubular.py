"""chain100: the reactor of `processes.chemical.TubularReactor`, stated again in numpy and in CasADi's SX for the peers."""

from __future__ import annotations

from typing import Any

import numpy as np

CELLS, FIELDS = 100, 9
TIMES = (5.0, 10.0, 20.0, 40.0)
RATE = np.array([0.8, 0.5, 0.3, 800.0, 2.0, 0.2])
ACTIVATION = np.array([7000.0, 6000.0, 9000.0, 3000.0, 5000.0, 8000.0])
HEAT = np.array([-60.0, -40.0, 20.0, -10.0, -30.0, -20.0])
#              A  B  C  D  E  F  G  H
MADE = np.array([[-1, -1, 1, 0, 0, 0, 0, 0], [0, -1, -1, 1, 0, 0, 0, 0], [-1, 0, 0, 0, 1, 0, 0, 0],
                 [0, -1, 0, 0, -1, 1, 0, 0], [0, 0, 0, 0, 0, -1, 1, 1], [0, 0, 0, -1, 0, 0, 0, 2.0]])
VELOCITY, DISPERSION, T_IN, T_WALL, A_IN, B_IN, UA = 0.1, 1e-4, 600.0, 560.0, 1.0, 2.0, 0.4
DZ = 2.0 / CELLS
SCALE = np.tile([1.0] * 8 + [600.0], CELLS)
BAND = 2 * FIELDS - 1


def start() -> Any:
    """B at 0.5 mol/l, 580 K, nothing else; shape (900,), cell by cell."""
    field = np.zeros((CELLS, FIELDS))
    field[:, 1], field[:, 8] = 0.5, 580.0
    return field.ravel()


def rhs(t: float, flat: Any) -> Any:
    """Derivatives with numpy."""
    field = flat.reshape(CELLS, FIELDS)
    inlet = np.array([A_IN, B_IN, 0, 0, 0, 0, 0, 0, T_IN])
    left, right = np.vstack([inlet, field[:-1]]), np.vstack([field[1:], field[-1:]])
    a, b, c, d, e, f = field.T[:6]
    rate = RATE * np.exp(-ACTIVATION * (1 / field[:, 8:] - 1 / 600)) * np.stack([a * b, c * b, a, e * b, f, d], 1)
    out = -VELOCITY * (field - left) / DZ + DISPERSION * (left - 2 * field + right) / DZ**2
    out[:, :8] += rate @ MADE
    out[:, 8] += -rate @ HEAT - UA * (field[:, 8] - T_WALL)
    return out.ravel()


def casadi_ode(casadi: Any) -> tuple[Any, Any]:
    """State vector and derivatives as SX, cell by cell."""
    x = casadi.SX.sym("x", CELLS * FIELDS)
    cells = [[x[FIELDS * i + k] for k in range(FIELDS)] for i in range(CELLS)]
    inlet = [A_IN, B_IN, 0, 0, 0, 0, 0, 0, T_IN]
    rows: list[Any] = []
    for i, own in enumerate(cells):
        left, right = cells[i - 1] if i else inlet, cells[min(i + 1, CELLS - 1)]
        a, b, c, d, e, f = own[:6]
        speed = [RATE[r] * casadi.exp(-ACTIVATION[r] * (1 / own[8] - 1 / 600)) for r in range(6)]
        rate = [k * q for k, q in zip(speed, (a * b, c * b, a, e * b, f, d), strict=True)]
        for k in range(FIELDS):
            moved = -VELOCITY * (own[k] - left[k]) / DZ + DISPERSION * (left[k] - 2 * own[k] + right[k]) / DZ**2
            if k < 8:
                moved += sum(MADE[r, k] * rate[r] for r in range(6) if MADE[r, k])
            else:
                moved += -sum(HEAT[r] * rate[r] for r in range(6)) - UA * (own[8] - T_WALL)
            rows.append(moved)
    return x, casadi.vertcat(*rows)


def error(found: Any, reference: Any) -> float:
    """Largest error relative to the value, with a floor of 1e-3 of the field's size."""
    return float(np.max(np.abs(found - reference) / (np.abs(reference) + 1e-3 * SCALE)))
