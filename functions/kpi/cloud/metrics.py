"""Metrics of the files that were decided on, for CloudWatch: written to the function's log, so they need no call."""

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

NAMESPACE = "Assay"


def count_file(*, stage: str, subject: str, accepted: bool, rows: int, cents: int | None) -> None:
    """Log the rows and cents of a file, by stage and subject; the sample count of its rows is the number of files.

    A file that could not be read has 0 rows; one whose subject holds no money has no cents.
    """
    metrics = EphemeralMetrics(namespace=NAMESPACE, service="kpi")
    metrics.add_dimension("stage", stage)
    metrics.add_dimension("subject", subject)
    decision = "Accepted" if accepted else "Rejected"
    metrics.add_metric(f"Rows{decision}", MetricUnit.Count, rows)
    if cents is not None:
        metrics.add_metric(f"Cents{decision}", MetricUnit.Count, cents)
    metrics.flush_metrics()
