"""What a job tells of its failure: the innermost message, and no card number, however deep an error quotes it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from glue.lake.failures import JobFailed, require_no_card_number, root_cause

QUOTED = "cannot read 4111 1111 1111 1111"
SHOWN = "cannot read **** **** **** 1111"


@dataclass
class JavaException:
    """An exception of Java's as py4j shows it."""

    message: str
    cause: JavaException | None = None

    def getCause(self) -> JavaException | None:  # noqa: N802 - Java's own name
        return self.cause

    def toString(self) -> str:  # noqa: N802 - Java's own name
        return self.message


def of_java(exception: JavaException) -> Exception:
    error = RuntimeError("An error occurred while calling o1.save")
    error.java_exception = exception  # type: ignore[attr-defined]
    return error


def test_root_cause_is_masked__of_python_and_of_java() -> None:
    assert root_cause(OSError(QUOTED)) == f"OSError: {SHOWN}"
    assert root_cause(of_java(JavaException("job aborted", JavaException(QUOTED)))) == SHOWN


def test_error_that_quotes_a_card_number_is_replaced__deep_in_its_causes(capsys: pytest.CaptureFixture[str]) -> None:
    error = ValueError("no number")
    error.__cause__ = OSError(QUOTED)

    with pytest.raises(JobFailed) as failed:
        require_no_card_number(error)

    told = capsys.readouterr().err
    assert (SHOWN in told, QUOTED in told) == (True, False)
    assert (failed.value.__suppress_context__, str(failed.value)) == (True, "ValueError: no number")


def test_error_that_quotes_none_is_left_alone(capsys: pytest.CaptureFixture[str]) -> None:
    require_no_card_number(OSError("the storage of run 17 is gone"))

    assert capsys.readouterr().err == ""
