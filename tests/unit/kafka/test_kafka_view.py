"""What a program reads of the bridge: a line for each object."""

import json
from dataclasses import dataclass

import pytest
from kafka_model import Bucket, Partition, Reader

from assay.kafka.view import View


@dataclass
class Topic:
    name: str = "orders"
    trouble: str | None = None

    def end(self, _: int) -> int:
        return 12


@pytest.mark.parametrize("as_json", [True, False])
def test_each_object_has_a_line__many_of_one_step(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    partition = Partition()
    for number in range(12):
        partition.append(number, b"{}")
    reader = Reader(partition, Bucket())
    view = View(Topic(), reader.bridge.progress, as_json=as_json)  # type: ignore[arg-type]
    reader.bridge.on_object = view.on_object
    reader.join()
    reader.read(12)
    view.show()
    told = capsys.readouterr()
    if as_json:
        lines = [json.loads(line) for line in told.out.splitlines()]
        assert [(line["first"], line["last"], line["records"], line["lag"]) for line in lines] == [
            (0, 4, 5, 7),
            (5, 9, 5, 2),
        ]
    else:
        assert [line.partition(": ")[2].partition(",")[0] for line in told.err.splitlines()] == [
            "offsets 0 to 4",
            "offsets 5 to 9",
        ]
