"""Control charts against published run lengths and against simulation; multivariate limits against counted false alarms."""

from __future__ import annotations

import math

import numpy as np
import pytest

import twin
from twin import monitor

# shifts 0, .25, .5, .75, 1, 1.5, 2, 2.5, 3, 4 sigma
EWMA = {
    (0.40, 3.054): (500, 224, 71.2, 28.4, 14.3, 5.9, 3.52, 2.54, 2.02, 1.44),
    (0.25, 2.998): (500, 170, 48.3, 20.1, 11.1, 5.5, 3.61, 2.74, 2.26, 1.73),
    (0.20, 2.962): (500, 150, 41.8, 18.1, 10.5, 5.5, 3.74, 2.88, 2.38, 1.86),
    (0.10, 2.814): (500, 106, 31.3, 15.8, 10.3, 6.1, 4.36, 3.44, 2.87, 2.19),
    (0.05, 2.615): (500, 84.0, 28.8, 16.4, 11.4, 7.1, 5.22, 4.17, 3.50, 2.69),
}
CUSUM = {
    (0.5, 4.0): (168, 74.2, 26.6, 13.3, 8.38, 4.75, 3.34, 2.62, 2.19, 1.71),
    (0.5, 5.0): (465, 139, 38.0, 17.0, 10.4, 5.75, 4.01, 3.11, 2.57, 2.01),
    (0.25, 8.01): (370, 83.8, 28.8, 16.4, 11.4, 7.12, 5.22, 4.15, 3.48, 2.67),
}
SHIFTS = (0, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 4)


@pytest.mark.parametrize("design", EWMA)
def test_ewma_run_lengths(design: tuple[float, float]) -> None:
    """Lucas and Saccucci, Technometrics 32 (1990) 1-12, table 3, to 1 % (the table prints three digits)."""
    found = [monitor.arl_ewma(*design, shift) for shift in SHIFTS]
    assert found == pytest.approx(EWMA[design], rel=0.01)


@pytest.mark.parametrize("design", CUSUM)
def test_cusum_run_lengths(design: tuple[float, float]) -> None:
    """Montgomery, Introduction to Statistical Quality Control, tables of tabular CUSUM run lengths, to 1 %."""
    found = [monitor.arl_cusum(*design, shift) for shift in SHIFTS]
    assert found == pytest.approx(CUSUM[design], rel=0.01)


def test_shewhart_run_lengths() -> None:
    """370.4 in control; 155.2, 43.9, 15.0, 6.30 and 2.00 at shifts of 0.5, 1, 1.5, 2 and 3 sigma."""
    found = [monitor.arl_shewhart(3.0, s) for s in (0, 0.5, 1, 1.5, 2, 3)]
    assert found == pytest.approx([370.4, 155.2, 43.9, 15.0, 6.30, 2.00], rel=0.003)


@pytest.mark.parametrize("chart", [monitor.Shewhart(5, 2, 2.5), monitor.Ewma(5, 2, 0.2, 2.5), monitor.Cusum(5, 2, 0.5, 3.0)])
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_charts_run_as_long_as_computed(chart: monitor.Shewhart, shift: float) -> None:
    """The mean of 400 simulated run lengths is within 4 standard errors of the computed one."""
    draw = np.random.default_rng(3)
    lengths = []
    for _ in range(400):
        state, alarm, n = chart.init(), None, 0
        while alarm is None:
            n += 1
            state, alarm = chart.step(state, 5 + 2 * (shift + draw.standard_normal()), n)
        lengths.append(n)
    error = np.std(lengths) / math.sqrt(len(lengths))
    assert abs(np.mean(lengths) - chart.arl(shift)) < 4 * error


def test_designed_charts_keep_their_run_length() -> None:
    """Both designs have 370 in control and find one sigma within 10 samples, as the published optimum does (9.7 and 9.9)."""
    for chart in (monitor.Ewma.designed(0, 1), monitor.Cusum.designed(0, 1)):
        assert chart.arl() == pytest.approx(370, rel=1e-3)
        assert chart.arl(1.0) < 10


def test_alarms_are_told_once_and_missing_samples_are_passed_over() -> None:
    """One alarm a run outside the limits; NaN neither alarms nor ends one."""
    values = [0, 0, 5, np.nan, 5, 0, -6]
    report = monitor.Shewhart(0, 1).check(values)
    assert [a.index for a in report.alarms] == [2, 6]
    assert "Sample 2: the sample is 5, above its limit 3" in report.alarms[0].message
    assert "below its limit -3" in report.alarms[1].message
    assert not report
    frame = monitor.Cusum(0, 1).check(values).to_frame()
    assert frame["sum above"][3] == frame["sum above"][2]
    assert len(report.plot().axes) == 1


def test_wrong_designs_are_refused() -> None:
    """A sentence each."""
    with pytest.raises(twin.SpecError, match=r"weight is 1\.5\. Expected at most 1"):
        monitor.arl_ewma(1.5, 3)
    with pytest.raises(twin.SpecError, match=r"sigma of the Shewhart chart is 0\. Expected a finite number above 0"):
        monitor.Shewhart(0, 0)
    with pytest.raises(twin.SpecError, match="out of reach"):
        monitor.Ewma.designed(0, 1, arl0=1e12)


def test_capability_interval() -> None:
    """Cpk 1.33 from 50 samples: one-sided 95 % lower limit 1.10, two-sided 1.05 (Bissell's formula by hand)."""
    base = np.random.default_rng(0).standard_normal(50)
    base = (base - base.mean()) / base.std(ddof=1)
    found = monitor.capability(base, -3 * 1.33, 3 * 1.33 + 1)
    assert found.cpk == pytest.approx(1.33, abs=1e-12)
    assert monitor.capability(base, -3 * 1.33, 3 * 1.33 + 1, confidence=0.95).cpk_low == pytest.approx(1.05, abs=0.01)
    with pytest.raises(twin.SpecError, match="Got 3 samples with a standard deviation of 0"):
        monitor.capability([1.0, 1.0, 1.0], 0, 2)


def false_alarms(components: int, limit: str, fits: int, fresh: int = 1) -> float:
    """Share of false alarms: each monitor is fitted to 50 normal rows of 8 tags and judges `fresh` new rows."""
    from scipy import stats

    draw = np.random.default_rng(7)
    mix = np.random.default_rng(1).standard_normal((8, 8)) * np.array([3, 2, 1.5, 0.3, 0.3, 0.3, 0.3, 0.3])[:, None]
    edge = stats.chi2.ppf(0.99, components)
    count = 0
    for _ in range(fits):
        rows, new = draw.standard_normal((50, 8)) @ mix, draw.standard_normal((fresh, 8)) @ mix
        made = monitor.PcaMonitor.fit({f"t{i}": rows[:, i] for i in range(8)}, components=components)
        report = made.check({f"t{i}": new[:, i] for i in range(8)})
        hit = {"F": report.t2 > report.t2_limit, "chi2": report.t2 > edge, "spe": report.spe > report.spe_limit}[limit]
        count += int(hit.sum())
    return count / (fits * fresh)


def test_t2_limit_in_f_form_gives_the_nominal_false_alarms() -> None:
    """n = 50, 8 components, nominal 1 %, one new row a monitor: within the 99 % binomial interval; chi-square is not."""
    fits = 5000
    half = 2.576 * math.sqrt(0.01 * 0.99 / fits)
    assert abs(false_alarms(8, "F", fits) - 0.01) < half
    assert false_alarms(8, "chi2", fits) > 0.01 + 3 * half


def test_spe_limit_is_near_nominal_for_small_samples() -> None:
    """n = 50, 3 of 8 components, nominal 1 %: 0.5 to 2 %, where the limit of Jackson and Mudholkar gives 2.2 %."""
    assert 0.005 < false_alarms(3, "spe", 100, 400) < 0.02


def test_contributions_name_the_tag_that_moved() -> None:
    """A shift of one tag off the plane is found and named; contributions sum to the statistics."""
    draw = np.random.default_rng(5)
    base = draw.standard_normal((200, 2)) @ draw.standard_normal((2, 5)) + 0.1 * draw.standard_normal((200, 5))
    tags = {n: base[:, i] for i, n in enumerate("abcde")}
    made = monitor.PcaMonitor.fit(tags, components=2)
    new = {n: v[:3].copy() for n, v in tags.items()}
    new["c"][1] += 3 * base[:, 2].std()
    report = made.check(new)
    assert list(report.alarms) == [False, True, False]
    assert "it comes from c" in report.explain(1).split("SPE")[1]
    assert "within the limits" in report.explain(0)
    assert np.allclose(sum(report.t2_contributions.values()), report.t2)
    assert np.allclose(sum(report.spe_contributions.values()), report.spe)
    with pytest.raises(twin.DataError, match="4 complete rows for 5 tags"):
        monitor.PcaMonitor.fit({n: v[:4] for n, v in tags.items()})
    with pytest.raises(twin.DataError, match="tag a does not vary"):
        monitor.PcaMonitor.fit({**tags, "a": np.ones(200)})
