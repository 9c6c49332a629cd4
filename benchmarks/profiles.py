"""The two profiles of the measurement: how much of everything."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Profile:
    """How much is measured; rows are those of files (`kpi_rows`) and of histories (`sizes`, `cdc_sizes`).

    Files of `kpi_compared` rows are read by others than the KPI function, too.
    """

    name: str
    seeds: int
    kpi_rows: tuple[int, ...]
    kpi_compared: int
    kpi_runs: int
    sizes: tuple[int, ...]
    cdc_sizes: tuple[int, ...]
    warm_up: int
    rounds: int
    compared: int
    overwrites: int
    files: int
    burst_files: int
    increments: int
    large_rows: int


SHORT = Profile(
    name="short",
    seeds=1,
    kpi_rows=(100_000, 400_000),
    kpi_compared=100_000,
    kpi_runs=2,
    sizes=(100_000, 400_000),
    cdc_sizes=(100_000, 400_000),
    warm_up=1,
    rounds=1,
    compared=1,
    overwrites=1,
    files=1,
    burst_files=20,
    increments=0,
    large_rows=400_000,
)
FULL = Profile(
    name="full",
    seeds=3,
    kpi_rows=(1_000_000, 11_000_000),
    kpi_compared=1_000_000,
    kpi_runs=5,
    sizes=(1_000_000, 4_000_000, 13_000_000),
    cdc_sizes=(100_000, 1_000_000, 4_000_000),
    warm_up=3,
    rounds=4,
    compared=3,
    overwrites=2,
    files=5,
    burst_files=200,
    increments=100,
    large_rows=13_000_000,
)
PROFILES = {profile.name: profile for profile in (SHORT, FULL)}
