"""Public test problems of dynamic optimization: oscillators, vehicles, rockets, cranes (P17 to P28)."""

from __future__ import annotations

from typing import Any

import twin
from benchmarks.problems.symbols import cos, exp, sin, sqrt

PI = 3.141592653589793


class VanDerPol(twin.DynamicModel):
    """P17: van der Pol oscillator."""

    x1 = twin.state("-", nominal=1)
    x2 = twin.state("-", nominal=1)
    u = twin.input("-", lower=-5, upper=5, nominal=0)
    cost = twin.output("-", nominal=1)
    difference = twin.output("-", nominal=1)

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"x1": (1 - s.x2**2) * s.x1 - s.x2 + s.u, "x2": s.x1}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"cost": s.x1**2 + s.x2**2 + s.u**2, "difference": s.x1 - s.x2}

    def initial(self) -> dict[str, float]:
        return {"x1": 0.0, "x2": 1.0}


class Cart(twin.DynamicModel):
    """P18, P24, P25, P27: position and velocity under a moved acceleration."""

    x = twin.state("m", nominal=1)
    v = twin.state("m/s", nominal=1)
    u = twin.input("m/s**2", lower=-30, upper=30, nominal=0)
    effort = twin.output("-", nominal=1)
    square = twin.output("-", nominal=1)
    squares = twin.output("-", nominal=1)

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"x": s.v, "v": s.u}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"effort": 0.5 * s.u**2, "square": s.x**2, "squares": s.x**2 + s.v**2}


class Rayleigh(twin.DynamicModel):
    """P19: Rayleigh problem."""

    x1 = twin.state("-", nominal=5)
    x2 = twin.state("-", nominal=5)
    u = twin.input("-", lower=-20, upper=20, nominal=0)
    cost = twin.output("-", nominal=10)
    mixed = twin.output("-", nominal=1)

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"x1": s.x2, "x2": -s.x1 + s.x2 * (1.4 - 0.14 * s.x2**2) + 4 * s.u}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"cost": s.x1**2 + s.u**2, "mixed": s.u + s.x1 / 6}

    def initial(self) -> dict[str, float]:
        return {"x1": -5.0, "x2": -5.0}


class Crane(twin.DynamicModel):
    """P20: container crane (Sakawa and Shindo)."""

    x1 = twin.state("m", nominal=10)
    x2 = twin.state("m", lower=1, upper=50, nominal=20)
    x3 = twin.state("rad", nominal=0.1)
    x4 = twin.state("m/s", nominal=1)
    x5 = twin.state("m/s", nominal=1)
    x6 = twin.state("rad/s", nominal=0.1)
    u1 = twin.input("-", lower=-2.83374, upper=2.83374, nominal=0)
    u2 = twin.input("-", lower=-0.80865, upper=0.71265, nominal=0)
    swing = twin.output("-", nominal=0.01)

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"x1": s.x4, "x2": s.x5, "x3": s.x6, "x4": s.u1 + 17.2656 * s.x3, "x5": s.u2,
                "x6": -(s.u1 + 27.0756 * s.x3 + 2 * s.x5 * s.x6) / s.x2}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"swing": 0.5 * (s.x3**2 + s.x6**2)}

    def initial(self) -> dict[str, float]:
        return {"x1": 0.0, "x2": 22.0, "x3": 0.0, "x4": 0.0, "x5": -1.0, "x6": 0.0}


class Goddard(twin.DynamicModel):
    """P21: vertical rocket with drag (COPS)."""

    h = twin.state("-", lower=0.9, upper=2, nominal=1)
    v = twin.state("-", lower=-1, upper=2, nominal=0.1)
    m = twin.state("-", lower=0.1, upper=2, nominal=1)
    thrust = twin.input("-", lower=0, upper=3.5, nominal=1.75)

    def rhs(self, s: Any) -> dict[str, Any]:
        drag = 310 * s.v**2 * exp(-500 * (s.h - 1))
        return {"h": s.v, "v": (s.thrust - drag) / s.m - 1 / s.h**2, "m": -2 * s.thrust}

    def initial(self) -> dict[str, float]:
        return {"h": 1.0, "v": 0.0, "m": 1.0}


class HangGlider(twin.DynamicModel):
    """P22: longest flight of a hang glider through a thermal (COPS)."""

    x = twin.state("m", nominal=1000)
    y = twin.state("m", nominal=1000)
    vx = twin.state("m/s", nominal=13)
    vy = twin.state("m/s", nominal=1)
    lift = twin.input("-", lower=0, upper=1.4, nominal=0.7)

    def rhs(self, s: Any) -> dict[str, Any]:
        r = (s.x / 100 - 2.5)**2
        w = s.vy - 2.5 * (1 - r) * exp(-r)
        v = sqrt(s.vx**2 + w**2)
        drag = 0.5 * (0.034 + 0.069662 * s.lift**2) * 1.13 * 14 * v**2
        up = 0.5 * s.lift * 1.13 * 14 * v**2
        return {"x": s.vx, "y": s.vy, "vx": (-up * w / v - drag * s.vx / v) / 100,
                "vy": (up * s.vx / v - drag * w / v) / 100 - 9.81}

    def initial(self) -> dict[str, float]:
        return {"x": 0.0, "y": 1000.0, "vx": 13.23, "vy": -1.288}


class RobotArm(twin.DynamicModel):
    """P23: fastest turn of a robot arm, rest to rest (COPS)."""

    rho = twin.state("m", lower=0, upper=5, nominal=4.5)
    rho_dot = twin.state("m/s", nominal=1)
    theta = twin.state("rad", nominal=1)
    theta_dot = twin.state("rad/s", nominal=1)
    phi = twin.state("rad", lower=0, upper=3.2, nominal=1)
    phi_dot = twin.state("rad/s", nominal=1)
    u1 = twin.input("-", lower=-1, upper=1, nominal=0)
    u2 = twin.input("-", lower=-1, upper=1, nominal=0)
    u3 = twin.input("-", lower=-1, upper=1, nominal=0)

    def rhs(self, s: Any) -> dict[str, Any]:
        inertia = ((5 - s.rho)**3 + s.rho**3) / 3
        return {"rho": s.rho_dot, "rho_dot": s.u1 / 5, "theta": s.theta_dot, "theta_dot": s.u2 / (inertia * sin(s.phi)**2),
                "phi": s.phi_dot, "phi_dot": s.u3 / inertia}

    def initial(self) -> dict[str, float]:
        return {"rho": 4.5, "rho_dot": 0.0, "theta": 0.0, "theta_dot": 0.0, "phi": PI / 4, "phi_dot": 0.0}


class JacobsonLele(twin.DynamicModel):
    """P26: second-order system under a state limit that changes in time."""

    x1 = twin.state("-", nominal=1)
    x2 = twin.state("-", nominal=1)
    u = twin.input("-", lower=-20, upper=20, nominal=0)
    cost = twin.output("-", nominal=0.1)
    beyond = twin.output("-", nominal=1)

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"x1": s.x2, "x2": -s.x2 + s.u}

    def outputs(self, s: Any) -> dict[str, Any]:
        return {"cost": s.x1**2 + s.x2**2 + 0.005 * s.u**2, "beyond": s.x2 - 8 * (s.time - 0.5)**2 + 0.5}

    def initial(self) -> dict[str, float]:
        return {"x1": 0.0, "x2": -1.0}


class Steering(twin.DynamicModel):
    """P28: particle steered by the direction of a constant push (COPS)."""

    x = twin.state("-", nominal=5)
    y = twin.state("-", nominal=5)
    vx = twin.state("-", nominal=45)
    vy = twin.state("-", nominal=10)
    angle = twin.input("rad", lower=-PI / 2, upper=PI / 2, nominal=0)

    def rhs(self, s: Any) -> dict[str, Any]:
        return {"x": s.vx, "y": s.vy, "vx": 100 * cos(s.angle), "vy": 100 * sin(s.angle)}

    def initial(self) -> dict[str, float]:
        return {"x": 0.0, "y": 0.0, "vx": 0.0, "vy": 0.0}
