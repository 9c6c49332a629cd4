"""The variables that the processes of a local cloud get: those that lead to it, and none that lead elsewhere."""

from __future__ import annotations

import os

REGION = "us-east-1"
# The access key ids of those who have no role: who runs the command line, and who deploys.
OPERATOR = "operator"
DEPLOYER = "deployer"


def caller(role_arn: str) -> str:
    """Return the access key id by which the calls of a role are known: its name."""
    return role_arn.rpartition("/")[2]


def inherited_environment() -> dict[str, str]:
    """Return what a child gets of this process's variables: not those that name an account, or another Spark."""
    others = ("AWS_", "SPARK_", "PYSPARK_", "HADOOP_")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}


def aws_environment(endpoint: str, *, key_id: str = OPERATOR) -> dict[str, str]:
    """Return the variables that point every AWS SDK of a process at a local endpoint, and at nothing else.

    The access key id tells whose calls they are; the local cloud takes any.
    """
    return {
        # No file of the developer's may name a region, a profile, an endpoint or credentials either.
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": key_id,
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
