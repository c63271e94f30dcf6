"""A Trajectory is checked where it is written: each mistake is a sentence with name, value and unit."""

from __future__ import annotations

import math

import pytest

import optimizers
import twin
from optimizers.dynamic.filling import fill
from optimizers.dynamic.grid import Grid, radau, start_of
from optimizers.dynamic.transcription import Transcription
from processes.bioreactor import BajpaiReuss, Penicillin
from processes.chemical import VanDeVusse
from twin.engine import optimal_tables
from twin.engine.optimal import OcpData

GOOD = {"maximize": "product_mass", "moves": "feed", "duration": 100}

WRONG = [
    ({"maximize": "product_mas"}, r"Unknown signal 'product_mas'.*Did you mean 'product_mass'"),
    ({"moves": "fed"}, r"Unknown input 'fed'.*Did you mean 'feed'"),
    ({"duration": None}, r"has no end\. Give duration="),
    ({"duration": "3 kg"}, r"cannot convert kg .* to h"),
    ({"duration": (150, 100)}, r"150 to 100 h, the lower above the upper"),
    ({"duration": (-5, 100)}, r"duration is -5 to 100 h\. Expected positive"),
    ({"minimize": "biomass"}, r"needs one goal"),
    ({"maximize": None}, r"needs one goal"),
    ({"maximize": "duration"}, r"names the duration, which is fixed"),
    ({"maximize": {"product_mass": 0.0}}, r"weight of product_mass is 0.0"),
    ({"limits": {"biomass": (50, 40)}}, r"biomass.* 50 to 40 g/l, the lower above"),
    ({"limits": {"biomass": ("1 kg", None)}}, r"cannot convert kg"),
    ({"limits": {"biomass": (None, None)}}, r"limits nothing"),
    ({"limits": {"biomass": 3.0}}, r"one number, 3 g/l.*Use final="),
    ({"limits": {"biomass": (None, 1)}}, r"biomass starts at 1.5 g/l, outside its limits"),
    ({"limits": {"bimass": (None, 40)}}, r"Unknown signal 'bimass'"),
    ({"final": {"volume": (11, None)}, "limits": {"volume": (None, 10)}}, r"at least 11 l.*at most 10 l.*Both cannot hold"),
    ({"moves": {"feed": (0, 80)}}, r"feed is 80 g/h\. Expected 0 to 50 g/h"),
    ({"moves": {"feed": (5, 5)}}, r"feed may move from 5 to 5 g/h: it cannot move"),
    ({"moves": {"feed": optimizers.Move(grid=[0, 50, 120])}}, r"grid of feed ends at 120 h, its phase at 100 h"),
    ({"moves": {"feed": optimizers.Move(rate=(1, 5))}}, r"leaves out standing still"),
    ({"moves": {"feed": optimizers.Move(phases=["late"])}}, r"Unknown phase 'late'"),
    ({"intervals": 0}, r"intervals is 0"),
    ({"moves": ()}, r"Nothing is free"),
    ({"parameters": {"mu_max": (0.2, 0.1)}}, r"mu_max.*0.2 to 0.1"),
    ({"parameters": {"mu_maxx": (0.1, 0.2)}}, r"Unknown parameter 'mu_maxx'"),
    ({"totals": {"growth": (None, 2)}}, r"Unknown signal 'growth'"),
    ({"inputs": {"feed": 90.0}}, r"feed is 90 g/h"),
    ({"durations": {"late": (1, 2)}}, r"Unknown phase 'late'"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_mistake_is_a_sentence(change: dict[str, object], message: str) -> None:
    """Wrong names, units, limits and grids are told before anything is solved."""
    with pytest.raises(twin.SpecError, match=message):
        optimizers.Trajectory(BajpaiReuss(), **{**GOOD, **change})


def test_units_are_converted_by_declared_units() -> None:
    """Limits, lengths and bounds with units arrive in those of the model."""
    moves = {"flow": ("0.1 1/min", "1 1/min"), "duty": (None, None)}
    problem = optimizers.Trajectory(VanDeVusse.do_mpc(), maximize="c_b", moves=moves, duration="30 min",
                                    limits={"t_reactor": ("373.15 K", "413.15 K")})
    plan = problem.plan
    assert plan.phases[0].duration == pytest.approx(0.5)
    assert [plan.limits[0].lower, plan.limits[0].upper] == pytest.approx([100.0, 140.0])
    assert [plan.phases[0].moved[0].lower, plan.phases[0].moved[0].upper] == pytest.approx([6.0, 60.0])


def test_phase_that_ends_at_a_crossing_is_free_and_ends_there() -> None:
    """The batch phase of the recipe ends at 0.3 g/l substrate in the optimum, too; the whole takes the duration asked for."""
    problem = optimizers.Trajectory(Penicillin(), maximize="product_mass", duration="300 h",
                                    moves={"feed": optimizers.Move(intervals=10, phases=["fed-batch"])})
    first, second = problem.plan.phases
    assert first.free
    assert second.free
    assert not first.moved
    crossing, total = problem.plan.limits
    assert (crossing.place.name, crossing.lower, crossing.upper, crossing.phase) == ("substrate", 0.3, 0.3, 0)
    assert (total.said, total.lower, total.upper) == ("duration", 300.0, 300.0)


def test_edges_are_the_intervals_of_all_moves() -> None:
    """Two inputs with 4 and 6 intervals share 8 edges."""
    problem = optimizers.Trajectory(VanDeVusse.do_mpc(), maximize="c_b", duration=1,
                                    moves={"flow": optimizers.Move(intervals=4), "duty": optimizers.Move(intervals=6)})
    edges = Grid(problem.plan, 3, 1).edges
    assert [e.b for e in edges] == pytest.approx([1 / 6, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4, 5 / 6, 1.0])


def test_radau_nodes_of_three_points() -> None:
    """(4 -+ sqrt 6) / 10 and 1 (Hairer and Wanner, Solving ODEs II, 1996, table IV.5.6)."""
    assert radau(3) == pytest.approx([(4 - 6**0.5) / 10, (4 + 6**0.5) / 10, 1.0], abs=1e-15)


class Grower(twin.DynamicModel):
    """Growth by a term that a net corrects."""

    time_unit = "h"
    mass = twin.state("kg", lower=0, upper=100, nominal=1)
    food = twin.input("-", lower=0, upper=2, nominal=1)

    @twin.term("kg/h", lower=0, vanishes_with=("mass",))
    def growth(self, mass):
        return 0.1 * mass

    def rhs(self, s):
        return {"mass": self.growth(s.mass) * s.food}

    def initial(self):
        return {"mass": 1.0}


def test_an_optimum_beyond_what_a_learned_term_saw_says_so():
    """1 kg grows as exp(0.2 t) at most: to 7.39 kg after 10 h, where the term saw 0.5 to 4 kg, left behind after 6.93 h."""
    net = twin.Mlp.random(inputs=("mass",), hidden=(3,), scales=[1.0], seed=0, size=0.0)
    model = Grower().with_learned({"growth": twin.Multiply(net, domain=[("mass", 0.5, 4.0)])})
    answer = optimizers.solve(optimizers.Trajectory(model, maximize="mass", moves={"food": (0, 2)}, duration="10 h", intervals=2))
    assert answer.status
    assert answer.objective == pytest.approx(math.e**2, rel=1e-6)
    said = [line for line in answer.explain().splitlines() if line.startswith("Extrapolation")]
    assert len(said) == 1
    assert "mass is 7.389 kg at 10 h, the term growth was trained for 0.5 to 4 kg (outside for" in said[0]


def test_new_values_of_parameters_cost_no_compilation():
    """A calibrated model, a scenario: the lowered functions are the same, byte by byte; the values are data."""
    keys, rows = [], []
    for value in (0.11, 0.12):
        problem = optimizers.Trajectory(BajpaiReuss(), maximize="product_mass", moves="feed", intervals=2, duration=100,
                                        parameters={"mu_max": value})
        tr = Transcription(problem.plan, Grid(problem.plan, 2, 1))
        tables = optimal_tables.tables_of(tr.spec())
        keys.append([p.key() for p in tables.programs.values()])
        data = OcpData.empty(tr.spec())
        fill(tr, data, start_of(problem.plan), None)
        rows.append((data.p_edge.copy(), data.p_node.copy()))
    assert keys[0] == keys[1]
    assert (rows[0][0] != rows[1][0]).sum() == len(rows[0][0])
    assert (rows[0][1] != rows[1][1]).sum() == len(rows[0][1])
