"""The simulator obeys the physics it claims, and its seeds."""

import numpy as np
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from toolkit_drone.parameters import RadarParameters, TargetClass
from toolkit_drone.simulator import blade_echo, simulate

RATE_HZ, LENGTH_M, ELEVATION_DEG = 20.0, 0.5, 10.0


def _lone_rotor(blades: int, **changes: object) -> RadarParameters:
    """One rotor without body, noise or motion, and a second class that is not simulated."""
    rotor = TargetClass(
        name="rotor",
        rotors=1,
        blades=(blades,),
        blade_length_m=(LENGTH_M, LENGTH_M),
        rotation_hz=(RATE_HZ, RATE_HZ),
    )
    quiet: dict[str, object] = {
        "samples": 20_000,
        "elevation_deg": (ELEVATION_DEG, ELEVATION_DEG),
        "radial_speed_m_s": (0, 0),
        "body_level_db": (-200, -200),
        "snr_db": (200, 200),
        "blade_length_jitter": 0,
        "classes": (rotor, rotor.model_copy(update={"name": "other"})),
    }
    return RadarParameters.model_validate(quiet | changes)


def _spectrum(signal: NDArray, prf_hz: float) -> tuple[NDArray, NDArray]:
    power = np.abs(np.fft.fft(signal * np.hanning(len(signal)))) ** 2
    return np.fft.fftfreq(len(signal), 1 / prf_hz), power / power.sum()


def test_equal_seeds_give_equal_signals_and_others_give_others() -> None:
    parameters = RadarParameters(samples=100)
    first, labels = simulate(parameters, [3, 70, 2], seed=1)
    again, _ = simulate(parameters, [3, 70, 2], seed=1)
    assert np.array_equal(first, again)
    assert np.bincount(labels).tolist() == [3, 70, 2]
    for seed, stream in ((2, 0), (1, 1)):
        other, _ = simulate(parameters, [3, 70, 2], seed=seed, stream=stream)
        assert (np.abs(first - other).max(axis=1) > 0.1).all()


def test_no_signal_occurs_twice() -> None:
    signals, _ = simulate(RadarParameters(samples=50), [100, 100, 100], seed=0)
    assert len(np.unique(signals[:, 0])) == 300


def test_signals_have_unit_power() -> None:
    signals, _ = simulate(RadarParameters(), [5, 5, 5], seed=0)
    assert signals.shape == (15, 1500)
    assert signals.dtype == np.complex64
    assert np.allclose(np.mean(np.abs(signals) ** 2, axis=1), 1, rtol=1e-5)


def test_blade_echo_is_the_integral_along_the_blade() -> None:
    phase = np.array([0.0, 1e-9, 0.3, -2.0, 40.0])
    nodes, weights = np.polynomial.legendre.leggauss(200)
    radius, weights = (nodes + 1) / 2, weights / 2
    integral = (np.exp(-2j * phase[:, None] * radius) * weights).sum(axis=1)
    assert np.allclose(blade_echo(phase), integral, atol=1e-12)


@pytest.mark.parametrize("blades", [1, 2, 3])
def test_doppler_ends_at_the_speed_of_the_blade_tips(blades: int) -> None:
    parameters = _lone_rotor(blades)
    signals, _ = simulate(parameters, [1, 0], seed=0)
    frequency, power = _spectrum(signals[0], parameters.prf_hz)
    tip_hz = (
        4 * np.pi * RATE_HZ * LENGTH_M * np.cos(np.deg2rad(ELEVATION_DEG)) / parameters.wavelength_m
    )
    # Carson: what lies beyond the largest instantaneous frequency by two lines is negligible.
    assert power[np.abs(frequency) > 1.05 * tip_hz].sum() < 1e-3
    for side in (1, -1):
        near_tip = (side * frequency > 0.9 * tip_hz) & (side * frequency < tip_hz)
        assert power[near_tip].sum() > 1e-3


@pytest.mark.parametrize(("blades", "flashes"), [(1, 2), (2, 2), (3, 6), (4, 4)])
def test_blade_flashes_repeat_at_their_rate(blades: int, flashes: int) -> None:
    """A blade flashes when it is square to the line of sight, twice a turn; with an even number
    of blades two of them do so together."""
    parameters = _lone_rotor(blades, elevation_deg=(0, 0))
    signals, _ = simulate(parameters, [1, 0], seed=0)
    # The blades turn through exactly 20 turns, so the lines of the spectrum are exact. At 0
    # degrees the flash towards the radar and that away from it have equal strength.
    envelope = np.abs(signals[0]) ** 2
    lines = np.abs(np.fft.rfft(envelope - envelope.mean()))
    turn = round(RATE_HZ * parameters.samples / parameters.prf_hz)
    strongest = np.flatnonzero(lines > 0.05 * lines.max())
    assert np.gcd.reduce(strongest) == flashes * turn


def test_motion_shifts_body_and_blades_alike() -> None:
    speed_m_s = 1.5
    at_rest, _ = simulate(_lone_rotor(2), [1, 0], seed=3)
    moving_parameters = _lone_rotor(2, radial_speed_m_s=(speed_m_s, speed_m_s))
    moving, _ = simulate(moving_parameters, [1, 0], seed=3)
    ratio = moving[0] / at_rest[0]
    turns = np.unwrap(np.angle(ratio)) / (2 * np.pi)
    shift_hz = (turns[-1] - turns[0]) * moving_parameters.prf_hz / (len(turns) - 1)
    assert abs(shift_hz) == pytest.approx(2 * speed_m_s / moving_parameters.wavelength_m, rel=1e-3)


def test_noise_and_body_have_the_levels_asked_for() -> None:
    clean, _ = simulate(_lone_rotor(2), [1, 0], seed=0)
    noisy, _ = simulate(_lone_rotor(2, snr_db=(10, 10)), [1, 0], seed=0)
    scale = np.vdot(clean[0], noisy[0]) / np.vdot(clean[0], clean[0])
    noise = noisy[0] - scale * clean[0]
    ratio_db = 10 * np.log10(abs(scale) ** 2 / np.mean(np.abs(noise) ** 2))
    assert ratio_db == pytest.approx(10, abs=0.2)
    bodied, _ = simulate(_lone_rotor(2, body_level_db=(20, 20)), [1, 0], seed=0)
    _, power = _spectrum(bodied[0], 20_000)
    assert power[[0, 1, -1]].sum() > 0.98


@pytest.mark.parametrize(
    "wrong", [{"snr_db": (30, 20)}, {"wavelength_m": 0}, {"samples": -1}, {"speed": 3}]
)
def test_impossible_parameters_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RadarParameters.model_validate(wrong)


def test_counts_must_match_the_classes() -> None:
    with pytest.raises(ValueError, match="2 counts given for 3 classes"):
        simulate(RadarParameters(), [1, 1], seed=0)
