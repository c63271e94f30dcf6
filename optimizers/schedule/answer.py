"""What an engine hands back about a plan, before it is checked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from optimizers.schedule.work import Placed
from twin.status import Status


@dataclasses.dataclass(frozen=True)
class Answer:
    """Placed tasks with the engine's claims."""

    status: Status
    placed: Sequence[Placed]
    claimed: float | None
    bound: float | None
    engine: str
    stats: Mapping[str, Any] = dataclasses.field(default_factory=dict)
