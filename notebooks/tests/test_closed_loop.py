"""The pooled table of closed-loop runs: intervals, rows, pairs, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from peers import closed_loop
from peers.closed_loop import MixedReportsError, Pool


def run(seed: int, n_arrived: int = 4, secs: float = 10.0, walker: int = 0) -> dict:
    return {
        "seed": seed,
        "hash": f"{seed}-{secs}",
        "is_success": n_arrived == 4,
        "n_going": 4,
        "n_arrived": n_arrived,
        "collisions_robot": 0,
        "collisions_walker": walker,
        "collisions_wall": 0,
        "arrival_secs": [secs] * n_arrived,
    }


def report(*runs: dict, who: str = "agents", scenario: str = "doorway") -> dict:
    return {"scenario": scenario, "scenario_hash": scenario, "who": who, "runs": list(runs)}


@pytest.mark.parametrize(
    ("n_hits", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)],
)
def test_shares_have_wilsons_interval(n_hits: int, n: int, low: float, high: float) -> None:
    got = closed_loop.share(n_hits, n)
    assert (got.low, got.high) == pytest.approx((low, high), abs=5e-5)


def test_means_have_an_interval_of_about_two_standard_errors() -> None:
    got = closed_loop.mean([float(k % 10) for k in range(100)])
    assert got.value == pytest.approx(4.5)
    assert got.high - got.low == pytest.approx(1.126, abs=0.15)
    assert closed_loop.mean([3.0, 3.0]).text(1) == "3.0 [3.0, 3.0]"


def test_runs_of_several_commands_are_one_row() -> None:
    pool = Pool.of([report(run(0), run(1, n_arrived=0, walker=2)), report(run(2, secs=20.0))])
    assert list(pool.runs) == [0, 1, 2]
    row = pool.row()
    assert row.startswith("| doorway | agents | 3 | 66.7 [20.8, 93.9] | 66.7 [")
    assert "| 0.67 [0.00, 2.00] |" in row
    # Who did not arrive has no time.
    assert "| 15.00 [10.00, 20.00] |" in row


def test_a_seed_twice_counts_once_and_with_two_outcomes_is_refused() -> None:
    assert len(Pool.of([report(run(0)), report(run(0))]).runs) == 1
    with pytest.raises(MixedReportsError, match="seed 0"):
        Pool.of([report(run(0)), report(run(0, secs=11.0))])


def test_what_cannot_be_pooled_or_paired_is_refused() -> None:
    with pytest.raises(MixedReportsError, match="at least one"):
        Pool.of([report()])
    with pytest.raises(MixedReportsError, match="driver"):
        Pool.of([report(run(0)), report(run(1), who="orca")])
    mine = Pool.of([report(run(0))])
    with pytest.raises(MixedReportsError, match="both"):
        closed_loop.paired(mine, Pool.of([report(run(1), who="orca")]))
    with pytest.raises(MixedReportsError, match="hallway"):
        closed_loop.paired(mine, Pool.of([report(run(0), scenario="hallway")]))


def test_pairs_are_of_the_seeds_that_both_ran() -> None:
    ours = Pool.of([report(run(0, secs=12.0), run(1, n_arrived=3), run(5))])
    theirs = Pool.of([report(run(1), run(0), run(9), who="orca")])
    contacts, secs, only = closed_loop.paired(ours, theirs)
    assert contacts.startswith("doorway, agents less orca, 2 seeds: contacts a run 0.00")
    assert "seconds to the goal 1.00 [0.00, 2.00] (of 2)" in secs
    assert "0 seeds that only the first finished, 1 only the second" in only


def test_reports_lie_in_files(tmp_path: Path) -> None:
    by_file = {"a": report(run(0)), "b": report(run(1)), "c": report(run(0), who="orca")}
    for name, it in by_file.items():
        (tmp_path / name).write_text(json.dumps(it))
    found = closed_loop.pools(sorted(tmp_path.iterdir()))
    assert [(pool.who, len(pool.runs)) for pool in found] == [("agents", 2), ("orca", 1)]
