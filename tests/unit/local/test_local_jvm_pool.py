"""Which JVM a job run gets, and which are kept; no JVM is started."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pyspark
import pytest

from devcloud.local import jvm_options, jvm_pool, spark
from devcloud.local.jvm_pool import JvmPool
from devcloud.local.state_folder import StateFolder

CONF = {"spark.a": "1"}
OTHER = {"spark.a": "2"}


class FakeJvm:
    """A JVM that only knows how it was started and whether it was ended."""

    made: list[FakeJvm]

    def __init__(self, conf: dict[str, str], *, environment: dict[str, str], log: Path, **_: Any) -> None:
        self.conf, self.log, self.warmed, self.clean, self.closed = dict(conf), log, False, True, False
        self.key_id = environment["AWS_ACCESS_KEY_ID"]
        log.parent.mkdir(parents=True, exist_ok=True)
        self.made.append(self)

    def environment(self) -> dict[str, str]:
        return {"JVM": str(self.made.index(self))}

    def is_clean(self) -> bool:
        return self.clean

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def jvms(monkeypatch: pytest.MonkeyPatch) -> list[FakeJvm]:
    monkeypatch.setattr(FakeJvm, "made", [], raising=False)
    monkeypatch.setattr(jvm_pool, "Jvm", FakeJvm)

    def warm_up(*_: Any, env: dict[str, str], **__: Any) -> SimpleNamespace:
        FakeJvm.made[int(env["JVM"])].warmed = True
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(jvm_pool.subprocess, "run", warm_up)
    return FakeJvm.made


@pytest.fixture
def pool(jvms: list[FakeJvm], tmp_path: Path) -> Iterator[JvmPool]:
    made = JvmPool(StateFolder(tmp_path), endpoint="http://localhost:1")
    yield made
    made.close()


def settle(pool: JvmPool) -> None:
    """Wait until all that was ordered in the background is there."""
    pool._starter.submit(lambda: None).result()


def living(jvms: list[FakeJvm]) -> list[FakeJvm]:
    return [jvm for jvm in jvms if not jvm.closed]


def test_prepare_warms_two_jvms__four_jobs_with_one_configuration(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    for job in ("silver", "gold", "silver-replay", "gold-replay"):
        pool.prepare(job, CONF)
    settle(pool)

    assert [(jvm.conf, jvm.warmed) for jvm in jvms] == [(CONF, True)] * 2


def test_prepare_starts_nothing_more__job_declared_again(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    for job in ("silver", "silver"):
        pool.prepare(job, CONF)
    settle(pool)

    assert len(jvms) == 1


def test_prepare_starts_nothing_more__another_job_forgotten_and_declared(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    for job in ("silver", "gold"):
        pool.prepare(job, CONF)
    pool.forget("gold")
    pool.prepare("gold", CONF)
    settle(pool)

    assert len(living(jvms)) == 2


def test_take_gives_the_jvm_that_was_warmed_first__none_has_run_yet(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    for job in ("silver", "gold"):
        pool.prepare(job, CONF)
    settle(pool)

    assert [pool.take(CONF), pool.take(CONF)] == jvms


def test_take_gives_the_jvm_used_last__to_whichever_job(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    for job in ("silver", "gold"):
        pool.prepare(job, CONF)
    settle(pool)

    for _ in range(3):
        taken = pool.take(CONF)
        pool.give_back(taken, healthy=True)

    assert taken is jvms[0]  # type: ignore[comparison-overlap]
    assert len(living(jvms)) == 2


def test_take_starts_a_cold_jvm__all_are_at_work(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    pool.prepare("silver", CONF)
    settle(pool)

    taken = [pool.take(CONF), pool.take(CONF)]

    assert [jvm.warmed for jvm in jvms] == [True, False]
    assert taken == jvms


def test_take_does_not_wait_its_turn__jvm_not_begun(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    busy = Event()
    pool._starter.submit(busy.wait)
    pool.prepare("silver", CONF)

    taken = pool.take(CONF)
    busy.set()
    settle(pool)

    assert jvms == [taken]


def test_take_starts_a_cold_jvm__other_settings(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    pool.prepare("silver", CONF)
    settle(pool)

    taken = pool.take(OTHER)
    pool.give_back(taken, healthy=True)

    assert [(jvm.conf, jvm.closed) for jvm in jvms] == [(CONF, False), (OTHER, True)]


def test_give_back_keeps_a_second_jvm__two_jobs_ran_at_once(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    pool.prepare("silver", CONF)
    settle(pool)

    for taken in [pool.take(CONF), pool.take(CONF)]:
        pool.give_back(taken, healthy=True)

    assert len(living(jvms)) == 2
    assert pool.take(CONF) is jvms[1]  # type: ignore[comparison-overlap]


def test_give_back_ends_the_coldest__three_jobs_ran_at_once(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    pool.prepare("silver", CONF)
    settle(pool)

    for taken in [pool.take(CONF) for _ in range(3)]:
        pool.give_back(taken, healthy=True)

    assert living(jvms) == jvms[1:]


@pytest.mark.parametrize(("healthy", "clean"), [(False, True), (True, False)])
def test_give_back_starts_another__script_left_the_only_jvm_in_disorder(
    pool: JvmPool, jvms: list[FakeJvm], healthy: bool, clean: bool
) -> None:
    pool.prepare("silver", CONF)
    settle(pool)

    taken = pool.take(CONF)
    jvms[0].clean = clean
    pool.give_back(taken, healthy=healthy)
    settle(pool)

    assert [(jvm.closed, jvm.warmed) for jvm in jvms] == [(True, True), (False, False)]
    assert pool.take(CONF) is jvms[1]  # type: ignore[comparison-overlap]


def test_give_back_starts_nothing__disorder_and_another_is_idle(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    for job in ("silver", "gold"):
        pool.prepare(job, CONF)
    settle(pool)

    pool.give_back(pool.take(CONF), healthy=False)
    settle(pool)

    assert [jvm.closed for jvm in jvms] == [True, False]


def test_prepare_ends_the_old_jvms__no_job_has_their_settings_any_more(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    for conf in (CONF, OTHER):
        for job in ("silver", "gold"):
            pool.prepare(job, conf)
            settle(pool)

    assert [(jvm.conf, jvm.closed) for jvm in jvms] == [(CONF, True)] * 2 + [(OTHER, False)] * 2


def test_prepare_keeps_the_old_jvms__another_job_has_their_settings(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    for job in ("silver", "gold"):
        pool.prepare(job, CONF)
    pool.prepare("silver", OTHER)
    settle(pool)

    assert [(jvm.conf, jvm.closed) for jvm in jvms] == [(CONF, False), (CONF, False), (OTHER, False)]


def test_give_back_ends_the_jvm__its_job_was_forgotten(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    pool.prepare("silver", CONF)
    taken = pool.take(CONF)
    pool.forget("silver")

    pool.give_back(taken, healthy=True)
    settle(pool)

    assert living(jvms) == []


def test_close_ends_every_jvm__idle_or_at_work(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    for job in ("silver", "gold"):
        pool.prepare(job, CONF)
    settle(pool)
    pool.take(CONF)

    pool.close()

    assert (len(jvms), living(jvms)) == (2, [])


def test_jobs_and_jvms_see_this_cloud_and_this_spark_alone__developer_has_others(
    pool: JvmPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {"AWS_PROFILE": "work", "AWS_ENDPOINT_URL_S3": "https://example.com", "SPARK_HOME": "/opt/spark"}
    for name, value in {**others, "SPARK_CONF_DIR": "/etc/spark", "LANGUAGE": "en"}.items():
        monkeypatch.setenv(name, value)
    found = pool.environment()
    assert found.keys() & {"AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "SPARK_CONF_DIR"} == set()
    assert found["SPARK_HOME"] == str(Path(pyspark.__file__).parent)
    assert found["AWS_CONFIG_FILE"] == os.devnull
    assert found["LANGUAGE"] == "en"


def test_java_options_stay_whole__blank_in_a_path() -> None:
    command = spark.submit_command({}, java_options=["-XX:SharedArchiveFile=/home/a b/x.jsa"])
    options = command[command.index("--driver-java-options") + 1]
    assert shlex.split(options)[-1] == "-XX:SharedArchiveFile=/home/a b/x.jsa"


def test_java_options_end_in_those_of_the_environment__two_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASSAY_JAVA_OPTIONS", raising=False)
    usual = jvm_options.java_options()
    monkeypatch.setenv("ASSAY_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 '-Da=b c'")
    assert jvm_options.java_options() == [*usual, "-XX:TieredStopAtLevel=1", "-Da=b c"]


def test_role_has_a_jvm_of_its_own__started_by_its_first_job(pool: JvmPool, jvms: list[FakeJvm]) -> None:
    confs = [{**CONF, jvm_pool.KEY_ID: key_id} for key_id in ("SilverRole", "GoldRole")]
    for job, conf in zip(("silver", "gold"), confs, strict=True):
        pool.prepare(job, conf)
    settle(pool)

    assert jvms == []
    assert [pool.take(conf) for conf in confs] == jvms
    assert [(jvm.key_id, jvm.warmed) for jvm in jvms] == [("SilverRole", False), ("GoldRole", False)]
    for jvm in jvms:
        pool.give_back(jvm, healthy=True)
    assert [pool.take(conf) for conf in reversed(confs)] == jvms[::-1]
