"""The race between engines: percentiles, rows, and the section of the page. Nothing is raced."""

from __future__ import annotations

import pytest

from peers import race
from peers.race import Ceiling

CEILINGS = [Ceiling(1, 100.0, 400.0), Ceiling(2, 200.0, 800.0)]


def test_shares_are_of_the_calls() -> None:
    times = [float(k) for k in range(1000, 0, -1)]
    assert [race.at(times, share) for share in race.SHARES] == [500.0, 990.0, 999.0, 1000.0]
    assert race.at([7.0], 0.99) == 7.0


def test_rows_are_held_against_the_better_peer_at_each_share() -> None:
    times = {
        "PyTorch, eager-2": [100.0] * 99 + [200.0],
        "PyTorch, compiled-2": [80.0] * 98 + [300.0] * 2,
        "int8-2": [10.0] * 98 + [20.0] * 2,
    }
    eager, compiled, ours = race.rows("plan", times, 4.0, CEILINGS)
    assert "| 100 | 100 | 100 | 100 | 200 | 0.8 | 1.0 |" in eager
    assert "| 100 | 80 | 300 | 300 | 300 | 1.0 | 0.3 |" in compiled
    # 4 million operations in 10 microseconds are 400 billion a second, of 800.
    assert ours.endswith("| 100 | 10 | 20 | 20 | 20 | 8.0 | 5.0 | 50% |")


def test_a_ceiling_is_of_the_numbers_and_the_threads() -> None:
    assert [CEILINGS[0].of(it) for it in ("f32-1", "int8-1", "PyTorch, eager-1")] == [100, 400, 100]
    assert [race.threads_of(it) for it in ("f32-1", "PyTorch, compiled-2")] == [1, 2]


@pytest.mark.parametrize("after", ["", "## Else\nMore.\n"])
def test_what_people_wrote_around_the_section_stays(after: str) -> None:
    page = race.page("# Page\nWords.\n", race.section("Once.", ["| a |"])) + after
    again = race.page(page, race.section("Twice.", ["| b |"]) + ("\n" if after else ""))
    assert again.startswith("# Page\nWords.\n")
    assert again.endswith(after or "| b |\n")
    assert "Twice." in again
    assert "Once." not in again
    assert again.count(race.HEADING) == 1
