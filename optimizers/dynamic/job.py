"""The step [optimize] of a job: the recipe of its model made better, beside the recipe itself."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from optimizers.dynamic.problem import Move, Trajectory
from optimizers.dynamic.solving import solve
from twin import errors
from twin.jobs.steps import Context, Outcome, Step
from twin.recipe import Profile

KEYS = ("maximize", "minimize", "duration", "intervals", "starts", "seed", "max_seconds", "moves", "limits", "final", "inputs",
        "initial")
RANGE_SLACK = 0.05  # of the recorded range
MOVE_KEYS = ("lower", "upper", "intervals", "hold", "phases")


@dataclasses.dataclass(frozen=True)
class Asked:
    """What the table says: fields of the `Trajectory`, and options of `solve`."""

    fields: Mapping[str, Any]
    options: Mapping[str, Any]

    def problem(self, model: Any) -> Trajectory:
        """The problem on a model."""
        return Trajectory(model, **self.fields)


class OptimizeStep(Step):
    """Reads [optimize], solves it on the current model, and replays the recipe of the model beside it."""

    def read(self, table: Any, job: Any) -> Asked:
        """The table, checked against the model of the job."""
        table.only(KEYS)
        goals = [k for k in ("maximize", "minimize") if table.get(k, str)]
        if len(goals) != 1:
            raise table.error(f"{table.name} has {len(goals)} goals. Expected one: maximize = 'SIGNAL' or minimize = 'SIGNAL'.")
        signals = [s.name for s in job.model.signals]
        fields: dict[str, Any] = {goals[0]: table.get(goals[0], str)}
        moves = table.table("moves", required=True)
        moves.only([s.name for s in job.model.of_role("input")])
        fields["moves"] = {name: _move(moves.table(name)) for name in moves.values}
        for key in ("limits", "final"):
            part = table.table(key)
            part.only(signals)
            fields[key] = {name: _pair(part.table(name)) for name in part.values}
        for key, roles in (("inputs", ("input", "disturbance")), ("initial", ("state",))):
            part = table.table(key)
            part.only([s.name for r in roles for s in job.model.of_role(r)])
            fields[key] = dict(part.values)
        if "intervals" in table.values:
            fields["intervals"] = table.get("intervals", int)
        if "duration" in table.values:
            given = table.values["duration"]
            fields["duration"] = tuple(given) if isinstance(given, list) else given
        options = {k: table.get(k, int) for k in ("starts", "seed") if k in table.values}
        if "max_seconds" in table.values:
            options["max_seconds"] = table.get("max_seconds", float)
        asked = Asked(fields, options)
        try:
            asked.problem(job.model)
        except errors.SpecError as e:
            raise table.error(str(e)) from e
        return asked

    def run(self, asked: Asked, context: Context) -> Outcome:
        """Solve, and say what it gains."""
        problem = asked.problem(context.model)
        answer = solve(problem, progress=context.progress, **asked.options)
        plan = problem.plan
        if answer.objective is None:
            return Outcome("The best recipe", answer.status, [answer.message], value=answer)
        start = answer.details["start"]
        unit, better = plan.unit, plan.sign * (start - answer.objective)
        share = f" ({better / abs(start):+.0%})" if math.isfinite(start) and start else ""
        sentences = [f"{answer.objective:.4g} {unit} of {plan.goal} in place of {start:.4g} {unit} by the recipe{share}; both "
                     "simulated on the model of this job.", *answer.explain().splitlines()[1:],
                     *beyond_records(answer.replay, context.records.runs, context.job.model.signals),
                     "The model decides here. What it leaves out is not optimized: try the recipe on the plant before it is "
                     "adopted."]
        tables = [("What is done", ["from", "input", "value", "unit"],
                   [[float(t), name, float(v), _unit(plan, name)] for name in plan.moved
                    for t, v in zip(answer.details["times"][name], answer.value[name], strict=False)])]
        return Outcome("The best recipe", answer.status, sentences, tables, _pictures(answer), _summary(answer, start),
                       value=answer)


def beyond_records(best: Any, runs: Mapping[str, Mapping[str, Any]], signals: Any) -> list[str]:
    """Where the best run goes that no record has been: sentences, one a signal."""
    said = []
    for s in signals:
        seen = [v for measured in runs.values() for v in measured.get(s.name, ((), ()))[1] if math.isfinite(v)]
        if not seen or s.name not in best.names():
            continue
        low, high, values = min(seen), max(seen), best[s.name]
        slack = RANGE_SLACK * max(high - low, 1e-6 * abs(s.nominal))
        reached = float(values.max() if values.max() - high > low - values.min() else values.min())
        if not low - slack <= reached <= high + slack:
            unit = f" {s.unit}" if s.unit != "-" else ""
            said.append(f"Extrapolation: {s.name} reaches {reached:.4g}{unit}; the records hold {low:.4g} to {high:.4g}{unit}.")
    return said


def _move(table: Any) -> Move:
    table.only(MOVE_KEYS)
    phases = table.texts("phases") or None
    options = {"intervals": table.get("intervals", int), "hold": table.get("hold", str, "previous"), "phases": phases}
    try:
        return Move(table.values.get("lower"), table.values.get("upper"), **options)
    except errors.SpecError as e:
        raise table.error(str(e)) from e


def _pair(table: Any) -> tuple[Any, Any]:
    table.only(("lower", "upper"))
    return table.values.get("lower"), table.values.get("upper")


def _unit(plan: Any, name: str) -> str:
    return next(str(m.place.unit) for p in plan.phases for m in p.moved if m.place.name == name)


def _pictures(answer: Any) -> dict[str, bytes]:
    import io

    buffer = io.BytesIO()
    try:
        answer.plot(title="").savefig(buffer, dpi=110)
    except errors.MissingExtraError:
        return {}
    return {"The best run on the model: what is moved, and what it leads to; limits shaded, bold where they hold it back":
            buffer.getvalue()}


def _summary(answer: Any, start: float) -> dict[str, Any]:
    """Numbers for programs: the recipe can be replayed from them."""
    plan = answer.details["plan"]
    inputs = {n: {"times": answer.details["times"][n].tolist(), "values": [float(v) for v in answer.value[n]],
                  "unit": _unit(plan, n)} for n in plan.moved}
    reference = {m.place.name: m.start for p in plan.phases for m in p.moved if not isinstance(m.start, Profile)}
    return {"objective": answer.objective, "reference": start, "claimed": answer.claimed, "violation": answer.violation,
            "unit": plan.unit, "inputs": inputs, "reference_inputs": reference, "durations": list(answer.details["durations"]),
            "time_unit": plan.time_unit}


STEP = OptimizeStep()
