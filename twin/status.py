"""How a computation ended: one enum of sentences for every verb."""

from __future__ import annotations

import enum


class Status(enum.Enum):
    """How a computation ended; `str(status)` is the sentence, `bool(status)` tells success."""

    SUCCESS = "The computation ended normally."
    STOPPED = "The computation was stopped by the user; what was finished is kept."
    TIME_LIMIT = "The time limit was reached. Raise max_seconds."
    STEP_LIMIT = "The step limit was reached. Raise max_steps, or loosen rtol."
    STEP_TOO_SMALL = "The step size became too small. The model may be discontinuous or unstable there."
    NOT_FINITE = "The model gave NaN or infinity. Check parameters and initial values."
    ALGEBRAIC_FAILED = "The algebraic equations could not be solved. Give better starting values or check the inputs."
    EVENT_MISSED = "A phase did not reach its end condition within its longest duration."
    NOT_CONVERGED = "The iteration did not converge. Give another start."
    ITERATION_LIMIT = "The iteration limit was reached. Raise max_iterations, or give another start."
    INFEASIBLE = "No values satisfy all limits at once. The message names the limits in conflict."
    UNBOUNDED = "The objective has no bound. A limit is missing."
    FEASIBLE = "A feasible answer was found before the limit; it is not proved to be the best."

    def __str__(self) -> str:
        return self.value

    def __bool__(self) -> bool:
        return self is Status.SUCCESS


# The integer codes the engine returns, by position.
ENGINE_CODES = (Status.SUCCESS, Status.STOPPED, Status.STEP_LIMIT, Status.STEP_TOO_SMALL, Status.NOT_FINITE,
                Status.ALGEBRAIC_FAILED, Status.EVENT_MISSED, Status.TIME_LIMIT)
