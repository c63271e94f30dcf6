"""The conformance kit: `check_model` asks a process model everything that simulation, training and export rely on."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

from twin import conformance, errors


class NonSmoothWarning(UserWarning):
    """An equation has a kink or a jump, where Newton steps, step sizes and optimizers stumble."""


@dataclasses.dataclass(frozen=True)
class Check:
    """One question to a model: "passed", "failed", "warned" or "skipped", and what was found."""

    name: str
    status: str
    message: str = ""


@dataclasses.dataclass(frozen=True)
class Report:
    """All answers of one model."""

    model: str
    checks: tuple[Check, ...]

    def __bool__(self) -> bool:
        return not self.failures

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed."""
        return tuple(c for c in self.checks if c.status == "failed")

    def table(self) -> Any:
        """DataFrame of the checks."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(c) for c in self.checks]).set_index("name")

    def __repr__(self) -> str:
        lines = [f"  {c.status:8}{c.name:12}{c.message}".rstrip() for c in self.checks]
        return "\n".join([f"{self.model}: {len(self.failures)} of {len(self.checks)} checks failed", *lines])


def check_model(model: Any, *, points: int = 20, seed: int = 0, throw: bool = True) -> Report:
    """Check one model against the contract; run it on every model you write.

    Parameters
    ----------
    model
        A `DynamicModel`, `SteadyModel` or connected line.
    points
        Number of random points within the signal limits.
    seed
        Of these points and of the random weights.
    throw
        False returns the report instead of raising.

    Raises
    ------
    SpecError
        Lists every failed check; `.report` holds the answers.

    Warns
    -----
    NonSmoothWarning
        For `where`, `clip`, `abs` and the like in the equations, with the source line.

    Examples
    --------
    >>> from processes.chemical import ExothermicCstr
    >>> bool(check_model(ExothermicCstr()))
    True
    """
    import jax

    found = []
    with jax.enable_x64(True):
        subject = conformance.Subject(model, points, seed)
        for name, check in conformance.CHECKS.items():
            try:
                messages = list(check(subject))
            except conformance.Skipped as why:
                found.append(Check(name, "skipped", str(why)))
                continue
            except errors.TwinError as fault:
                messages = [str(fault)]
            status = ("warned" if name == "smooth" else "failed") if messages else "passed"
            found.append(Check(name, status, " ".join(messages)))
            if status == "warned":
                for message in messages:
                    warnings.warn(message, NonSmoothWarning, stacklevel=2)
    report = Report(model.title, tuple(found))
    if throw and not report:
        listed = "\n".join(f"- {c.name}: {c.message}" for c in report.failures)
        raise errors.SpecError(f"{model.title} fails {len(report.failures)} of {len(found)} "
                               f"checks:\n{listed}", report=report)
    return report
