"""Kalman filters for nonlinear models: extended (EKF) and unscented (UKF)."""

from __future__ import annotations

from typing import Any

from twin.estimation.kalman import KalmanFilter

DOC = """{what}

    Parameters
    ----------
    model
        A dynamic model.
    measured
        Standard deviation of each measurement by name (state, algebraic or output), in its unit.
    interval
        Usual time between two steps, in the time unit of the model or with a unit.
    noise
        Standard deviation that errors of the model add to each state over one interval, by name; those left out get none.
        None: 1 % of the nominal value for every state.
    walks
        Disturbances, inputs and parameters that are estimated as well, with the standard deviation of their change over one
        interval. With them a controller leaves no offset.
    initial, sd
        First estimate and its standard deviations, by name; else those of the model, and 10 % of the nominal values.
    parameters
        Parameters that differ from those of the model, by name.
    longest_delay
        How old a reading may be when it comes. Late readings are put where they belong and what followed is computed again.
    gate
        Readings further from what is expected than this many standard deviations are refused, up to five times in a row;
        None: never.
    rtol, execution
        Tolerance and execution of the simulation, as in `twin.simulate`.

    Notes
    -----
    Estimates are held within the limits of their signals; `info.clipped` tells where. {method}

    Examples
    --------
    >>> import twin
    >>> from processes.chemical import VanDeVusse
    >>> watch = twin.{name}(VanDeVusse.do_mpc(), {{"t_reactor": 0.3, "t_jacket": 0.3}}, interval="18 s")
    >>> state = watch.init()
    >>> state, info = watch.step(state, {{"t_reactor": 133.0, "t_jacket": float("nan")}}, inputs={{"flow": 20, "duty": -2000}})
    >>> info.used
    ('t_reactor',)
    """


class Ekf(KalmanFilter):
    __doc__ = DOC.format(name="Ekf", what="Extended Kalman filter in continuous time with measurements at instants.",
                         method="The covariance follows the exact sensitivities of the states along the interval. After "
                                "Jazwinski, Stochastic Processes and Filtering Theory, Academic Press 1970, section 8.3.")

    def _moved(self, x: Any, cov: Any, p: Any) -> tuple[Any, Any, str]:
        end, slope, wrong = self.numbers.end_and_slope(x, p)
        return (end, cov, wrong) if wrong else (end, slope @ cov @ slope.T, "")

    def _expected(self, x: Any, cov: Any, p: Any) -> tuple[Any, Any, Any]:
        seen = self.numbers.slopes(x, p)[1]
        cross = cov @ seen.T
        return self.numbers.measure(x, p), seen @ cross, cross


class Ukf(KalmanFilter):
    __doc__ = DOC.format(name="Ukf", what="Unscented Kalman filter: 2 n + 1 points carry the spread instead of a derivative.",
                         method="Scaled points with alpha = 1, beta = 2, kappa = 0. After Julier and Uhlmann, Proc. IEEE 92 "
                                "(2004) 401-422, doi:10.1109/JPROC.2003.823141.")

    BETA = 2.0

    def _points(self, x: Any, cov: Any) -> tuple[Any, Any, Any]:
        """Points, held within the limits, with their weights for means and covariances."""
        import numpy as np

        n = len(x)
        values, vectors = np.linalg.eigh(0.5 * (cov + cov.T))
        root = vectors * np.sqrt(np.maximum(values, 0.0) * n)
        points = np.vstack([x, x + root.T, x - root.T])
        means = np.full(2 * n + 1, 0.5 / n)
        means[0] = 0.0
        spreads = means.copy()
        spreads[0] = self.BETA
        return np.clip(points, self.low, self.high), means, spreads

    def _moved(self, x: Any, cov: Any, p: Any) -> tuple[Any, Any, str]:
        import numpy as np

        points, means, spreads = self._points(x, cov)
        ends = []
        for point in points:
            end, wrong = self.numbers.end(point, p)
            if wrong:
                return x, cov, wrong
            ends.append(end)
        mean = means @ np.array(ends)
        off = np.array(ends) - mean
        return mean, (off * spreads[:, None]).T @ off, ""

    def _expected(self, x: Any, cov: Any, p: Any) -> tuple[Any, Any, Any]:
        import numpy as np

        points, means, spreads = self._points(x, cov)
        seen = np.array([self.numbers.measure(point, p) for point in points])
        mean = means @ seen
        off = (seen - mean) * spreads[:, None]
        return mean, off.T @ (seen - mean), (points - x).T @ off
