"""What the simulated radar sees: physical parameters with their units.

The default ranges are calibrated, not measured: they overlap just enough for a plain
SPDNet [20, 16, 8] to land near 93 % test accuracy, the published figure for the RADAR
set of Brooks et al. (NeurIPS 2019). `benchmarks/calibrate_drone_radar.py` measures it.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt

from toolkit.contracts import Options


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower bound {bounds[0]} is above the upper bound {bounds[1]}")
    return bounds


def _positive(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] <= 0:
        raise ValueError(f"both bounds must be above 0, but the lower one is {bounds[0]}")
    return bounds


Interval = Annotated[tuple[float, float], AfterValidator(_ascending)]
PositiveInterval = Annotated[Interval, AfterValidator(_positive)]


class TargetClass(Options):
    """One class of aircraft; every signal draws its own values from these ranges."""

    name: str = Field(description="name of the class")
    rotors: PositiveInt = Field(description="number of rotors")
    blades: tuple[PositiveInt, ...] = Field(
        min_length=1, description="possible numbers of blades per rotor, equally likely"
    )
    blade_length_m: PositiveInterval = Field(description="blade length, metres")
    rotation_hz: PositiveInterval = Field(description="rotation rate, revolutions per second")
    rotation_jitter: float = Field(
        0.0, ge=0, lt=1, description="each rotor's rate differs by up to this fraction"
    )


HELICOPTER = TargetClass(
    name="helicopter", rotors=1, blades=(2,), blade_length_m=(0.4, 0.7), rotation_hz=(15, 30)
)
QUADROTOR = TargetClass(
    name="quadrotor",
    rotors=4,
    blades=(2,),
    blade_length_m=(0.08, 0.15),
    rotation_hz=(75, 125),
    rotation_jitter=0.05,
)
PROPELLER = TargetClass(
    name="propeller", rotors=1, blades=(2, 3), blade_length_m=(0.10, 0.18), rotation_hz=(25, 45)
)


class RadarParameters(Options):
    """A radar in pulse mode, the scene, and the classes of aircraft in it."""

    wavelength_m: PositiveFloat = Field(0.03, description="carrier wavelength, metres")
    prf_hz: PositiveFloat = Field(20_000, description="pulse repetition frequency, hertz")
    samples: PositiveInt = Field(1500, description="pulses in a signal")
    elevation_deg: Interval = Field(
        (5, 30), description="angle between the line of sight and the rotor plane, degrees"
    )
    radial_speed_m_s: Interval = Field(
        (0, 3), description="speed along the line of sight, metres per second; random sign"
    )
    body_level_db: Interval = Field(
        (-10, 0), description="echo of the body against that of all blades, decibels"
    )
    snr_db: Interval = Field(
        (20, 40), description="body and blades against the receiver noise, decibels"
    )
    rotor_height_m: Interval = Field(
        (-0.1, 0.1), description="height of each rotor above the body, metres"
    )
    blade_length_jitter: float = Field(
        0.03, ge=0, lt=1, description="each rotor's blade length differs by up to this fraction"
    )
    classes: tuple[TargetClass, ...] = Field(
        (HELICOPTER, QUADROTOR, PROPELLER), min_length=2, description="classes of aircraft"
    )
