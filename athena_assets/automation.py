"""When things run: the partitions, the jobs' schedules, and the reason for each."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from datetime import date, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from athena_assets.nights import NIGHT_STARTS_AT

if TYPE_CHECKING:
    from dagster._core.definitions.partitions.partitioned_schedule import (
        UnresolvedPartitionedAssetScheduleDefinition,
    )
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

    Schedule = UnresolvedPartitionedAssetScheduleDefinition | dg.ScheduleDefinition


BEYOND_TODAY = 1_000
"""Partitions that a closed data set may have after today."""


def nightly_partitions(first: date, last: date | None, timezone: str) -> dg.DailyPartitionsDefinition:
    """One partition per night from the first.

    A retailer that still trades has no last night; a closed data set ends with its last delivered one, so that the UI
    does not show years of nights that can never come.
    """
    return dg.DailyPartitionsDefinition(
        start_date=first.isoformat(),
        end_date=(last + timedelta(days=1)).isoformat() if last is not None else None,
        # A closed data set may reach beyond today's date: its end says when it ends, not the clock.
        end_offset=BEYOND_TODAY if last is not None else 0,
        timezone=timezone,
    )


def monthly_partitions(first: date, last: date | None, timezone: str) -> dg.MonthlyPartitionsDefinition:
    """One training partition per month; training of month M knows what was known when M ended."""
    return dg.MonthlyPartitionsDefinition(
        start_date=first.replace(day=1).isoformat(),
        end_date=(last + timedelta(days=1)).isoformat() if last is not None else None,
        end_offset=BEYOND_TODAY if last is not None else 0,
        timezone=timezone,
    )


def nights_of_month() -> dg.TimeWindowPartitionMapping:
    """A month reads its nights; those before the first one lie in the history and have no partition."""
    with warnings.catch_warnings():
        # In beta in the pinned Dagster; the mapping only draws lineage here, SQL decides what is read.
        warnings.filterwarnings("ignore", message="Parameter `allow_nonexistent_upstream_partitions`")
        return dg.TimeWindowPartitionMapping(allow_nonexistent_upstream_partitions=True)


def night_schedule(job: UnresolvedAssetJobDefinition, name: str = "night_at_two") -> Schedule:
    """The night at 02:00 in the business time zone: after the deliveries of 00:30, before the shops open."""
    return dg.build_schedule_from_partitioned_job(
        job,
        name=name,
        description="Every night at 02:00, business time: the night that has just ended.",
        hour_of_day=NIGHT_STARTS_AT.hour,
        minute_of_hour=NIGHT_STARTS_AT.minute,
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )


def training_schedule(job: UnresolvedAssetJobDefinition, name: str = "train_monthly") -> Schedule:
    """Training on the first of the month at 03:30, after that morning's night has freed the warehouse."""
    return dg.build_schedule_from_partitioned_job(
        job,
        name=name,
        description="On the first of the month at 03:30, business time: training on the month that has just ended.",
        day_of_month=1,
        hour_of_day=3,
        minute_of_hour=30,
        default_status=dg.DefaultScheduleStatus.STOPPED,
    )


def condition_sensors(assets: Iterable[dg.AssetsDefinition]) -> list[dg.AutomationConditionSensorDefinition]:
    """The sensor that evaluates the automation conditions of the assets; none where no asset has one.

    It evaluates them here, in the code location: the gate's part of a condition asks the warehouse, which the daemon's
    own sensor cannot.
    """
    if not any(spec.automation_condition for each in assets for spec in each.specs):
        return []
    with warnings.catch_warnings():
        # In beta in the pinned Dagster; the daemon itself cannot evaluate a condition that is not Dagster's own.
        warnings.filterwarnings("ignore", message="Parameter `use_user_code_server`")
        sensor = dg.AutomationConditionSensorDefinition(
            "automation",
            target=dg.AssetSelection.all(),
            use_user_code_server=True,
            default_status=dg.DefaultSensorStatus.STOPPED,
            description="Requests what an automation condition asks for and the gate lets through.",
        )
    return [sensor]
