"""Setting simulators side by side: the scene, what is parsed, and the table. None is run here."""

from __future__ import annotations

import math

import pytest

from peers import figures, scene
from peers.figures import Measured


def test_robots_start_apart_from_each_other_and_from_what_stands() -> None:
    for n_robots in (1, 16, 100):
        starts = scene.starts(n_robots)
        assert len(starts) == n_robots
        for idx, (x, y) in enumerate(starts):
            assert max(abs(x), abs(y)) < scene.half_width_m(n_robots) - scene.RADIUS_M
            assert all(box.distance_m(x, y) > scene.RADIUS_M for box in scene.walls(n_robots))
            others = starts[:idx]
            assert all(math.hypot(x - a, y - b) > 2 * scene.RADIUS_M for a, b in others)


def test_the_room_is_that_of_the_benchmark() -> None:
    assert len(scene.walls(64)) == 4 + scene.N_BOXES
    assert [scene.half_width_m(n) for n in (1, 36, 64)] == [6.0, 6.0, 8.0]
    # splitmix64 of 0 begins with 0xe220a8397b1dcdaf; the benchmark leaves out the last mixing.
    assert scene.scattered(0) == pytest.approx(0xE220A8397B1DCDAF / 2**64, abs=2**-30)


def test_commands_are_held_and_within_limits() -> None:
    told = [scene.command(n_steps, 3) for n_steps in range(200)]
    assert len(set(told)) == 4
    assert told[0] == told[scene.HOLD_STEPS - 1] != told[scene.HOLD_STEPS]
    assert all(0.3 <= speed <= 1.0 and abs(turn) <= 1.5 for speed, turn in told)


def test_lines_are_found_among_others() -> None:
    text = (
        "Running benches/throughput.rs\n"
        "like-for-like robots=16 step_micros=26.5 scanning_micros=440\n"
        "like-for-like robots=16x256 step_micros=1.5e3\n"
        "like-for-like robots=x step_micros=1\n"
    )
    assert figures.parse(text) == [Measured(16, 1, 26.5, 440.0), Measured(16, 256, 1500.0)]


def test_rates_follow_from_times() -> None:
    measured = Measured(10, 2, step_micros=100.0, scanning_micros=7_300.0)
    assert measured.robot_steps_per_sec == pytest.approx(200_000)
    assert measured.rays_per_sec == pytest.approx(1e6)
    # A simulated second is 100 steps, 10 of which scan.
    assert measured.real_time_factor == pytest.approx(1 / (100 * 100e-6 + 10 * 7_200e-6))
    assert Measured(1, 1, 5.0).rays_per_sec is None
    assert Measured(1, 1, 5.0, 4.0).rays_per_sec is None, "noise is no rate"


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        ([(1, 8.0), (16, 2.0), (64, 0.5)], "32.0"),
        ([(64, 0.5), (1, 8.0), (16, 2.0)], "32.0"),
        ([(1, 0.5)], "< 1"),
        ([(1, 9.0), (16, 2.0)], "> 16"),
        ([(1, None)], "-"),
    ],
)
def test_robots_that_keep_up_are_interpolated(
    cases: list[tuple[int, float | None]], expected: str
) -> None:
    assert figures.real_time_robots(cases) == expected


def test_numbers_have_three_digits_that_count() -> None:
    values = (1_234_567, 999.6, 12.34, 0.0012345, 0)
    assert [figures.rounded(it) for it in values] == ["1,230,000", "1,000", "12.3", "0.00123", "0"]


def test_ratios_are_taken_in_each_round() -> None:
    rounds = {
        "ours": [[Measured(4, 1, 10.0, 20.0)], [Measured(4, 1, 20.0, 40.0)]],
        "peer": [[Measured(4, 1, 40.0, 60.0)], [Measured(4, 1, 80.0, 120.0)]],
    }
    page = figures.page("Words.\n", "2 rounds.", rounds, "ours")
    assert "| peer | 4 | 4.00 (4.00 to 4.00) | 2.00 (2.00 to 2.00) |" in page
    assert "| ours | 4 | 15.0 (10.0 to 20.0) | 300,000 (200,000 to 400,000) |" in page


def test_what_people_wrote_around_the_tables_stays() -> None:
    rounds = {"ours": [[Measured(1, 1, 10.0)]]}
    page = figures.page("Before.\n", "Once.", rounds, "ours") + "After.\n"
    again = figures.page(page, "Twice.", rounds, "ours")
    assert again.startswith("Before.\n")
    assert again.endswith("After.\n")
    assert "Twice." in again
    assert "Once." not in again
