from __future__ import annotations

import re
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from sam_template import TEMPLATE, transformed, written
from samcli.commands._utils.template import move_template
from samcli.yamlhelper import yaml_parse

OUTPUTS = {
    *("BronzeBucket", "CardsKey", "LakeBucket", "LedgerTable", "KpiFunction", "SweepFunction", "MailTopic"),
    *("Workflow", "SilverJob", "GoldJob", "SilverDatabase", "GoldDatabase"),
    *("NotebookRole", "SigningKey", "ReportPages"),
    *("ReplayLedgerTable", "ReplaySilverJob", "ReplayGoldJob", "ReplaySilverDatabase", "ReplayGoldDatabase"),
}


def references(node: Any) -> Iterator[str]:
    """Yield every name that a part of a template refers to."""
    if isinstance(node, list):
        for item in node:
            yield from references(item)
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        if key == "Ref":
            yield value
        elif key == "Fn::GetAtt":
            yield value[0] if isinstance(value, list) else value.split(".")[0]
        elif key == "Fn::Sub":
            text = value[0] if isinstance(value, list) else value
            yield from (name.split(".")[0] for name in re.findall(r"\$\{([^!}][^}]*)\}", text))
            yield from references(value[1:] if isinstance(value, list) else [])
        elif key == "DependsOn":
            yield from [value] if isinstance(value, str) else value
        else:
            yield from references(value)


def test_template_has_no_circle_of_resources() -> None:
    made = transformed()["Resources"]
    graph = {
        name: {other for other in references(body) if other in made and other != name} for name, body in made.items()
    }

    order = list(TopologicalSorter(graph).static_order())

    assert len(order) == len(made)
    assert graph["BronzeBucket"], "the trigger must hang on the function's permission, or the test sees no edges"


def test_sam_build_writes_out_merge_keys_and_finds_each_script(tmp_path: Path) -> None:
    source, built = tmp_path / "template.yaml", tmp_path / ".aws-sam" / "build" / "template.yaml"
    source.write_text(TEMPLATE.read_text(encoding="utf-8"), encoding="utf-8")
    built.parent.mkdir(parents=True)

    move_template(str(source), str(built), yaml_parse(source.read_text(encoding="utf-8")))

    assert "<<: *" in source.read_text(encoding="utf-8")
    assert "<<" not in built.read_text(encoding="utf-8"), "CloudFormation takes no merge keys"
    scripts = {
        name: (built.parent / job["Properties"]["Command"]["ScriptLocation"]).resolve().relative_to(tmp_path)
        for name, job in yaml_parse(built.read_text(encoding="utf-8"))["Resources"].items()
        if job["Type"] == "AWS::Glue::Job"
    }
    assert {name: str(path) for name, path in scripts.items()} == {
        "SilverJob": "glue/scripts/silver.py",
        "GoldJob": "glue/scripts/gold.py",
        "ReplaySilverJob": "glue/scripts/silver.py",
        "ReplayGoldJob": "glue/scripts/gold.py",
    }


def test_template_outputs_the_agreed_names_by_reference() -> None:
    outputs = written()["Outputs"]

    assert set(outputs) == OUTPUTS
    by_reference = {name: {"Ref": name} for name in OUTPUTS}
    # Whoever opens a session has to give the role's ARN.
    by_reference["NotebookRole"] = {"Fn::GetAtt": ["NotebookRole", "Arn"]}
    by_reference["SigningKey"] = {"Fn::If": ["SignsHeads", {"Ref": "SigningKeyArn"}, "none"]}
    pages = {"Fn::Sub": "s3://${LakeBucket}/reports/"}
    by_reference["ReportPages"] = {"Fn::If": ["KeepsPages", pages, "none"]}
    by_reference["CardsKey"] = {"Fn::GetAtt": ["CardsKey", "Arn"]}  # S3's policy compares texts
    assert {name: output["Value"] for name, output in outputs.items()} == by_reference


def test_template_names_no_account_region_or_partition() -> None:
    text = TEMPLATE.read_text(encoding="utf-8")

    assert re.findall(r"\b[0-9]{12}\b|\b[a-z]{2}-[a-z]+-[0-9]\b|arn:aws[a-z-]*:", text) == []


def test_template_bounds_and_describes_every_parameter() -> None:
    for name, parameter in written()["Parameters"].items():
        bounded = {"AllowedPattern", "AllowedValues", "MaxValue"} & set(parameter)
        assert bounded, f"{name} takes anything"
        assert parameter["Description"].endswith("."), name
        assert "Default" in parameter, f"{name} would have to be asked for"
