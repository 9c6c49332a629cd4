"""Spark's jars for Iceberg and S3, fetched once per machine into a cache and checked against their hashes.

Spark can fetch them itself (`spark.jars.packages`), but its resolver trusts only the certificates inside the JDK, pins
no hash, and copies 390 MB at the start of each session. Fetched here they go straight onto the class path.
"""

from __future__ import annotations

import hashlib
import os
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

# Glue 5.1 carries Iceberg 1.10.0 on Spark 3.5.6 and reads s3:// by S3A; the last two are what hadoop-aws needs.
SHA256 = {
    "org/apache/iceberg/iceberg-spark-runtime-3.5_2.12/1.10.0/iceberg-spark-runtime-3.5_2.12-1.10.0.jar": (
        "70f9471870b2d456167d703c829f098a446b86bb1379eee338c0efa03a341026"
    ),
    "org/apache/iceberg/iceberg-aws-bundle/1.10.0/iceberg-aws-bundle-1.10.0.jar": (
        "172370cfc32a5f1ae5399b210e86fc04a366dc29a112d97ac8ffc74df7525596"
    ),
    "org/apache/hadoop/hadoop-aws/3.3.4/hadoop-aws-3.3.4.jar": (
        "53f9ae03c681a30a50aa17524bd9790ab596b28481858e54efd989a826ed3a4a"
    ),
    "com/amazonaws/aws-java-sdk-bundle/1.12.262/aws-java-sdk-bundle-1.12.262.jar": (
        "873fe7cf495126619997bec21c44de5d992544aea7e632fdc77adb1a0915bae5"
    ),
    "org/wildfly/openssl/wildfly-openssl/1.0.7.Final/wildfly-openssl-1.0.7.Final.jar": (
        "9f7058778978ec2ad90c7224401a4b0013d93e0dd3fa0f72b25244ffa3507ca8"
    ),
}
_BLOCK_BYTES = 1 << 20


class JarMismatchError(RuntimeError):
    """A fetched jar is not the one that was pinned."""

    def __init__(self, *, jar: str, expected: str, actual: str) -> None:
        super().__init__(f"{jar} has SHA-256 {actual}, expected {expected}: the repository serves another file")


def cache() -> Path:
    """Return the folder that all clones on this machine share."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("ASSAY_CACHE") or Path(root) / "assay") / "jars"


def fetch(*, on_line: Callable[[str], None] = lambda line: None) -> list[Path]:
    """Fetch what is missing, two jars at a time, and return all jars in class path order."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(lambda jar: _fetch_one(jar, on_line=on_line), SHA256))


def class_path() -> str:
    """Return the jars as a class path, fetching what is missing."""
    return os.pathsep.join(str(jar) for jar in fetch())


def _fetch_one(jar: str, *, on_line: Callable[[str], None]) -> Path:
    target = cache() / jar.rsplit("/", 1)[1]
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    repository = os.environ.get("ASSAY_MAVEN_REPOSITORY", "https://repo1.maven.org/maven2").rstrip("/")
    # A name of its own per process: two clones may fetch at once, and the rename makes the winner's file whole.
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        actual = _download(f"{repository}/{jar}", part, on_line=on_line)
        if actual != SHA256[jar]:
            raise JarMismatchError(jar=jar, expected=SHA256[jar], actual=actual)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _download(url: str, target: Path, *, on_line: Callable[[str], None]) -> str:
    digest = hashlib.sha256()
    with urllib.request.urlopen(url, timeout=60) as response, target.open("wb") as file:  # noqa: S310 (https by default)
        on_line(f"fetching {url.rsplit('/', 1)[1]} ({int(response.headers['Content-Length']) >> 20} MB)")
        while block := response.read(_BLOCK_BYTES):
            digest.update(block)
            file.write(block)
    return digest.hexdigest()


def main() -> None:
    fetch(on_line=lambda line: print(line, flush=True))
    print(f"Spark's jars are in {cache()}")


if __name__ == "__main__":
    main()
