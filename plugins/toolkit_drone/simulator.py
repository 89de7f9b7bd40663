"""Radar returns of aircraft with rotating blades (micro-Doppler), simulated in NumPy.

Model: V. C. Chen, F. Li, S.-S. Ho, H. Wechsler, "Micro-Doppler effect in radar: phenomenon,
model, and simulation study", IEEE Trans. Aerospace and Electronic Systems 42 (2006).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit_drone.parameters import RadarParameters, TargetClass

SIMULATOR_VERSION = 1
"""Part of every cache key: raise it whenever equal parameters give other signals."""

_CHUNK = 64
"""Signals simulated together: 64 x 1500 doubles stay inside a second-level cache."""

Bounds = tuple[float, float]


def simulate(
    parameters: RadarParameters, counts: Sequence[int], seed: int, stream: int = 0
) -> tuple[NDArray[np.complex64], NDArray[np.int64]]:
    """Simulate `counts[k]` signals of each class k.

    Args:
        parameters: radar, scene and classes.
        counts: number of signals per class, in the order of `parameters.classes`.
        seed: equal seeds give equal signals.
        stream: independent series of signals under one seed (0 for search, 1 for test).

    Returns:
        Signals (N, samples) of unit power, ordered by class, and their class indices (N,).
    """
    if len(counts) != len(parameters.classes):
        raise ValueError(f"{len(counts)} counts given for {len(parameters.classes)} classes")
    parts = [np.empty((0, parameters.samples), np.complex64)]
    for index, (target, count) in enumerate(zip(parameters.classes, counts, strict=True)):
        rng = np.random.default_rng([seed, stream, index])
        for start in range(0, count, _CHUNK):
            size = min(_CHUNK, count - start)
            parts.append(_simulate_chunk(parameters, target, size, rng))
    labels = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
    return np.concatenate(parts), labels


def blade_echo(phase: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Echo of a straight blade of unit length, seen from its hub.

    With x = (2 pi / wavelength) L cos(elevation) sin(angle), the integral of
    exp(-i 4 pi r cos(elevation) sin(angle) / wavelength) over r in [0, L], divided by L, is
    sin(x) / x * exp(-i x).

    Args:
        phase: x, of any shape.
    """
    sine = np.sin(phase)
    amplitude = np.divide(sine, phase, out=np.ones_like(phase), where=phase != 0)
    echo = np.empty(phase.shape, np.complex128)
    np.multiply(amplitude, np.cos(phase), out=echo.real)
    np.multiply(amplitude, -sine, out=echo.imag)
    return echo


def _simulate_chunk(
    parameters: RadarParameters, target: TargetClass, size: int, rng: np.random.Generator
) -> NDArray[np.complex64]:
    """One block of signals of one class, (size, samples), unit power."""
    time = np.arange(parameters.samples) / parameters.prf_hz
    elevation = np.deg2rad(_uniform(rng, parameters.elevation_deg, size))
    signal = _unit_power(_blades(parameters, target, elevation, time, rng))
    level = _from_decibels(_uniform(rng, parameters.body_level_db, size))
    signal += (level * np.exp(1j * rng.uniform(0, 2 * np.pi, size)))[:, None]
    speed = _uniform(rng, parameters.radial_speed_m_s, size) * rng.choice([-1.0, 1.0], size)
    # The aircraft moves as a whole, so its Doppler shift is on body and blades alike.
    signal *= np.exp(2j * np.pi * (2 * speed / parameters.wavelength_m)[:, None] * time)
    noise = rng.standard_normal((2, *signal.shape))
    noise_level = _from_decibels(-_uniform(rng, parameters.snr_db, size))
    signal = _unit_power(signal)
    signal += (noise_level / np.sqrt(2))[:, None] * (noise[0] + 1j * noise[1])
    return _unit_power(signal).astype(np.complex64)


def _blades(
    parameters: RadarParameters,
    target: TargetClass,
    elevation: NDArray[np.float64],
    time: NDArray[np.float64],
    rng: np.random.Generator,
) -> NDArray[np.complex128]:
    """Sum of the echoes of all blades, (size, samples), without motion of the body."""
    size = len(elevation)
    shape = (size, target.rotors)
    wave_number = 2 * np.pi / parameters.wavelength_m
    length = _uniform(rng, target.blade_length_m, size)[:, None]
    length = length * (1 + parameters.blade_length_jitter * rng.uniform(-1, 1, shape))
    rate = _uniform(rng, target.rotation_hz, size)[:, None]
    rate = rate * (1 + target.rotation_jitter * rng.uniform(-1, 1, shape))
    height = _uniform(rng, parameters.rotor_height_m, shape)
    offset = rng.uniform(0, 2 * np.pi, shape)
    blades = rng.choice(np.asarray(target.blades), size)

    weight = length * np.exp(-2j * wave_number * height * np.sin(elevation)[:, None])
    extent = wave_number * length * np.cos(elevation)[:, None]
    total = np.zeros((size, len(time)), np.complex128)
    for rotor in range(target.rotors):
        turn = 2 * np.pi * rate[:, rotor, None] * time + offset[:, rotor, None]
        for blade in range(max(target.blades)):
            present = np.flatnonzero(blade < blades)
            angle = turn[present] + (2 * np.pi * blade / blades[present])[:, None]
            echo = blade_echo(extent[present, rotor, None] * np.sin(angle))
            total[present] += weight[present, rotor, None] * echo
    return total


def _uniform(
    rng: np.random.Generator, bounds: Bounds, size: int | tuple[int, ...]
) -> NDArray[np.float64]:
    return rng.uniform(bounds[0], bounds[1], size)


def _from_decibels(level_db: NDArray[np.float64]) -> NDArray[np.float64]:
    """Amplitude ratio of a power ratio in decibels."""
    return np.asarray(10 ** (level_db / 20))


def _unit_power(signal: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Scale every row to a mean squared modulus of one."""
    power = np.mean(signal.real**2 + signal.imag**2, axis=-1, keepdims=True)
    return signal / np.sqrt(power)
