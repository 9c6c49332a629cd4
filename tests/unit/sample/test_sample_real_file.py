"""Against the source itself, where it lies beside the project: the same text forms, and shares close to its own."""

from pathlib import Path

import polars as pl
import pytest

from devcloud.sample.extent import Extent
from devcloud.sample.history import History
from devcloud.sample.writers import csv_bytes

REAL = Path(__file__).parents[3] / "../shared/data/transactions_first_10000.csv"

pytestmark = pytest.mark.skipif(not REAL.exists(), reason="the source's first 10,000 rows are not beside the project")


@pytest.fixture(scope="module")
def real() -> pl.DataFrame:
    return pl.read_csv(REAL, infer_schema=False)


@pytest.fixture(scope="module")
def generated() -> pl.DataFrame:
    frames = History(Extent(10_000, seed=11, days=3))
    text = b"".join(csv_bytes(frame, header=number == 0) for number, frame in enumerate(frames))
    return pl.read_csv(text, infer_schema=False)


def forms(column: pl.Series) -> set[str]:
    """Reduce values to their shape: digits to 9, letters to a."""
    shape = column.drop_nulls().str.replace_all(r"\d+", "9").str.replace_all(r"[A-Za-z]+", "a")
    return set(shape.to_list())


def test_text_forms_are_the_source_s__column_by_column(real: pl.DataFrame, generated: pl.DataFrame) -> None:
    assert generated.columns == real.columns
    for name in ("id", "date", "client_id", "card_id", "amount", "use_chip", "merchant_id", "zip", "mcc"):
        assert forms(generated[name]) == forms(real[name]), name


@pytest.mark.parametrize("column", ["use_chip", "mcc", "merchant_state", "zip", "errors"])
def test_shares_are_close_to_the_source_s__value_by_value(
    real: pl.DataFrame, generated: pl.DataFrame, column: str
) -> None:
    def shares(frame: pl.DataFrame) -> pl.DataFrame:
        values = frame[column] if column in ("use_chip", "mcc", "merchant_state") else frame[column].is_null()
        return values.alias("value").value_counts(normalize=True)

    both = shares(real).join(shares(generated), on="value", how="full", nulls_equal=True).fill_null(0)
    distance = (both["proportion"] - both["proportion_right"]).abs().sum() / 2
    assert distance < 0.08
