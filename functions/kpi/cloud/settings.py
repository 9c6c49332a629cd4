"""Read the function's environment as a checked, typed value."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal, InvalidOperation

from contract.limits import FILE_ROWS, WORKER_ROWS
from judging.reconcile import Policy

from cloud.mail import NONE


class SettingsError(Exception):
    """An environment variable is missing or makes no sense; the message names it."""


@dataclass(frozen=True)
class Settings:
    """What the template tells the function."""

    ledger_table: str
    lake_bucket: str
    state_machine_arn: str
    topic_arn: str
    stage: str
    report_pages: str
    policy: Policy

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "Settings":
        """Check the environment; raise SettingsError for the first variable that is wrong."""
        return cls(
            ledger_table=_given(environment, "LEDGER_TABLE"),
            lake_bucket=_given(environment, "LAKE_BUCKET"),
            state_machine_arn=_given(environment, "STATE_MACHINE_ARN"),
            topic_arn=_given(environment, "TOPIC_ARN"),
            stage=_given(environment, "STAGE"),
            report_pages=environment.get("REPORT_PAGES", NONE),
            policy=Policy(
                maximum_bad_share=_share(environment.get("MAXIMUM_BAD_SHARE", "0.5")),
                minimum_rows=_positive(environment.get("MINIMUM_ROWS", "1")),
                hold_warnings=_truth(environment.get("HOLD_WARNINGS", "false")),
                empties_security_codes=_empties(environment.get("CARD_SECURITY_CODES", "refuse")),
                maximum_rows=min(FILE_ROWS, WORKER_ROWS * (_workers(environment.get("GLUE_WORKERS", "2")) - 1)),
            ),
        )


@dataclass(frozen=True)
class SweepSettings:
    """What the template tells the sweep."""

    ledger_table: str
    bronze_bucket: str
    kpi_function: str
    state_machine_arn: str
    topic_arn: str
    stage: str
    gap_seconds: int = 3600

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> "SweepSettings":
        """Check the environment; raise SettingsError for the first variable that is wrong."""
        texts = {field.name: _given(environment, field.name.upper()) for field in fields(cls) if field.type is str}
        return cls(**texts, gap_seconds=_seconds(environment.get("GAP_SECONDS", "3600")))


def _given(environment: Mapping[str, str], name: str) -> str:
    if value := environment.get(name, "").strip():
        return value
    raise SettingsError(f"The environment variable {name} is missing.")


def _share(text: str) -> Decimal:
    try:
        share = Decimal(text)
    except InvalidOperation:
        share = Decimal(-1)
    if not 0 <= share <= 1:
        raise SettingsError(f"MAXIMUM_BAD_SHARE is {text!r}, not a share from 0 to 1.")
    return share


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise SettingsError(f"MINIMUM_ROWS is {text!r}, not a number from 1.")
    return int(text)


def _seconds(text: str) -> int:
    if not text.isdecimal():
        raise SettingsError(f"GAP_SECONDS is {text!r}, not a number of seconds.")
    return int(text)


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) < 2:
        raise SettingsError(f"GLUE_WORKERS is {text!r}, not a number from 2: one of the workers is the driver.")
    return int(text)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise SettingsError(f"HOLD_WARNINGS is {text!r}, not true or false.")
    return text == "true"


def _empties(text: str) -> bool:
    if text not in ("refuse", "empty"):
        raise SettingsError(f"CARD_SECURITY_CODES is {text!r}, not refuse or empty.")
    return text == "empty"
