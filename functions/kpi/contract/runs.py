"""The ledger's items of layers, and what runs write down of themselves; the forms of values are those of `items`."""

from typing import Annotated, Literal, NotRequired, TypedDict

from contract.items import Checksum, Decision, GoldChanges, LayerName, RepairsOfFile


class PublishedRun(TypedDict):
    """What a layer shows its readers."""

    run_seq: int
    snapshots: Annotated[dict[str, int], "table → snapshot id"]
    report_sha256: NotRequired[Annotated[str, "of the run's report; absent of runs before the chain began"]]
    row_count: int
    total_amount: str
    floor: NotRequired[Annotated[str, "Silver: start of the newest complete load, absent when none"]]
    loads: NotRequired[Annotated[dict[str, str], "Silver: complete loads, marker's file id → start"]]
    incomplete_loads: NotRequired[
        Annotated[dict[str, str], "Silver: the same of markers that are undone, or list a file that is"]
    ]
    last_repair: NotRequired[Annotated[int, "Silver: the last run that took a repair, absent when none"]]
    silver_run_seq: NotRequired[Annotated[int, "Gold: the Silver run that it shows"]]
    silver_snapshots: NotRequired[Annotated[dict[str, int], "Gold: of that Silver run"]]
    silver_report_sha256: NotRequired[Annotated[str, "Gold: of that Silver run"]]


class Signature(TypedDict):
    """Who vouches for the head of a chain."""

    key: Annotated[str, "ARN of the KMS key"]
    algorithm: Annotated[str, "`RSASSA_PKCS1_V1_5_SHA_256`"]
    value: Annotated[str, "base64"]


class ChainHead(TypedDict):
    """The newest run of a layer in its chain of evidence: whoever knows it can check all runs before it."""

    run_seq: int
    sha256: Annotated[str, "of the run's report"]
    signature: NotRequired[Annotated[Signature, "over layer, run and hash; only with the parameter `SigningKeyArn`"]]


class RunInProgress(TypedDict):
    """What a run recorded before its first write."""

    run_seq: int
    token: Annotated[str, "fences out a second writer"]
    files: list[str]
    started_at: str
    attempts: NotRequired[Annotated[int, "Silver: runs that took these files, this one among them"]]
    start: NotRequired[Annotated[str, "which start of the job by the workflow it was; else it had none"]]
    silver: NotRequired[Annotated[PublishedRun, "Gold: `published` of the Silver run that it brings over"]]


class SuspectFiles(TypedDict):
    """Files of a run that failed: they are taken again, in a run of their own."""

    files: list[str]
    attempts: Annotated[int, "runs that took all of them, and failed"]
    run_seq: Annotated[int, "last committed run when the first of these failed"]


class RunIntent(TypedDict):
    """The commit of a run: what is left to be carried out."""

    run_seq: int
    branch: str
    snapshots: Annotated[dict[str, int], "table → snapshot id"]
    report: Annotated[str, "object key in the lake"]
    head: NotRequired[Annotated[ChainHead, "absent of a run that an earlier version committed"]]


class Cut(TypedDict):
    """What `current.json` in the lake names: the snapshots that belong together after a Gold run."""

    run_seq: Annotated[int, "Gold's"]
    silver_run_seq: int
    at: str
    snapshots: Annotated[dict[LayerName, dict[str, int]], "layer → table → snapshot id"]


class LayerItem(TypedDict):
    """An item per layer."""

    file_id: Annotated[str, "`layer#silver` or `layer#gold`"]
    kind: Annotated[Literal["layer"], "`layer`"]
    run_seq: Annotated[int, "last run that reached its commit point"]
    head: NotRequired[Annotated[ChainHead, "that run in the chain of evidence; absent until the chain begins"]]
    in_progress: NotRequired[Annotated[RunInProgress, "while a run works"]]
    suspects: NotRequired[Annotated[list[SuspectFiles], "Silver: files of failed runs, a run's in halves"]]
    intent: NotRequired[Annotated[RunIntent, "from the commit point until all is published"]]
    published: NotRequired[Annotated[PublishedRun, "what readers are shown"]]


class BreakerItem(TypedDict):
    """An item per layer: whether its runs succeed."""

    file_id: Annotated[str, "`breaker#silver` or `breaker#gold`"]
    kind: Annotated[Literal["breaker"], "`breaker`"]
    succeeded_at: NotRequired[Annotated[str, "when a run of the job last reached its end, or published something"]]
    starts: NotRequired[
        Annotated[set[str], "starts of the job since, each named by its execution: of runs that failed, or go on"]
    ]
    failures: NotRequired[Annotated[set[str], "starts since whose executions have seen them fail"]]
    opened_at: NotRequired[Annotated[str, "only while it is open: no run starts but the probes"]]
    prober: NotRequired[Annotated[str, "only while it is open: ARN of the execution that makes the probes"]]


class FileReport(TypedDict):
    """What a Silver run did with one file, as its report in the lake says."""

    outcomes: dict[str, int]
    amounts: dict[str, str]
    effect: str
    missing: NotRequired[int]
    moved: NotRequired[int]
    settled: NotRequired[dict[str, int]]
    decides: NotRequired[Decision]
    repairs: NotRequired[Annotated[dict[str, RepairsOfFile], "file id → its quarantined rows after the run"]]


class LayerTotals(TypedDict):
    """The totals of a layer after a run."""

    row_count: int
    total_amount: str
    floor: NotRequired[str]
    loads: NotRequired[dict[str, str]]
    incomplete_loads: NotRequired[dict[str, str]]
    last_repair: NotRequired[int]
    silver_run_seq: NotRequired[int]
    silver_snapshots: NotRequired[dict[str, int]]
    silver_report_sha256: NotRequired[str]


class SilverReport(TypedDict):
    """A Silver run's report."""

    files: dict[str, FileReport]
    totals: LayerTotals


class GoldReport(TypedDict):
    """A Gold run's report."""

    files: list[str]
    totals: LayerTotals
    changes: NotRequired[GoldChanges]
    months: NotRequired[Annotated[list[str], "in which changed facts lie or lay"]]


class TakenFile(TypedDict):
    """What the report of a run says of a file or an action that it took, so that it can be held to Bronze."""

    bucket: str
    key: str
    version_id: str
    etag: str
    checksum: NotRequired[Checksum]
    size: int
    came_at: Annotated[str, "when the object was written, or the action decided"]
    item_sha256: Annotated[str, "of what of its ledger item never changes"]


class Link(TypedDict):
    """What makes a run's report a link of the chain; the report of its layer stands beside it."""

    layer: LayerName
    run_seq: int
    previous: NotRequired[Annotated[ChainHead, "the run before; absent where the chain begins"]]
    taken: Annotated[dict[str, TakenFile], "file id → what was taken"]
