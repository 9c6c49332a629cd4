"""The page: one file that loads nothing, in which no text of others acts, and which stays small."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from generated_month import Month, month

from assay.passport import Check
from assay.report.page import MOST_FILES, list_files, write
from assay.report.summary import MovedMonth, Summary

HOSTILE = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "</style><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "&lt;b&gt;",
    "`'\"",
    "javascript:alert(1)",
)
BIDI = "transactions/a\u202egpj.csv"
CARD = "4111 1111 1111 1111"
VOID = {"meta", "link", "input", "br", "img"}


class Page(HTMLParser):
    """The elements of a page with their attributes, and all its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "wbr":
            return  # says where the line of a key may end
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def made() -> Month:
    return month(60)


def with_text(summary: Summary, text: str) -> Summary:
    """Put a text of others wherever a page shows one."""
    assert summary.lake
    first = summary.files[0]
    file = replace(first, key=text, reasons=[text], warnings=[text], decisions=[text], subject=text, proof=text)
    examples = [replace(each, raw=text, rules=[text]) for each in summary.lake.examples]
    lake = replace(summary.lake, examples=examples, broken=[replace(each, rule=text) for each in summary.lake.broken])
    return replace(
        summary,
        stack=text,
        files=[file, *summary.files[1:]],
        actions=[replace(action, key=text, reason=text, who=text) for action in summary.actions],
        groups_moved=[replace(each, group=text) for each in summary.groups_moved],
        expected=[replace(each, name=text) for each in summary.expected or ()],
        lake=lake,
    )


def test_page_names_the_four_figures_and_what_is_open__in_its_first_lines(made: Month) -> None:
    page = write(made.summary())
    verdict = page[page.index('<section class="verdict') : page.index("<nav")]
    taken = sum(int(item["kpis"]["row_count"]) for item in made.items[:-1])
    assert all(figure in verdict for figure in ("<b>60</b>", f"<b>{taken:,}</b>", f"<b>{made.lake.amount:,.2f}</b>"))
    assert "1 file was rejected" in verdict
    assert "<code>assay status --expected</code>" in verdict


def test_page_loads_nothing__no_address_but_its_own_anchors(made: Month) -> None:
    page = Page(write(made.summary()))
    links = [each["href"] or "" for each in page.named("a")]
    assert links
    assert all(link.startswith("#") for link in links)
    assert [each["href"] for each in page.named("link")] == ["data:,"]
    assert not any("src" in attributes or "data" in attributes for _, attributes in page.elements)
    assert not page.named("img")
    assert not page.named("iframe")
    policy = next(each["content"] or "" for each in page.named("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none';")


def test_page_lets_its_own_script_run_alone__by_its_hash(made: Month) -> None:
    page = write(made.summary())
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'" in page


def test_each_anchor_exists_once__of_all_links(made: Month) -> None:
    page = Page(write(made.summary()))
    ids = [str(attributes["id"]) for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {str(each["href"])[1:] for each in page.named("a")} <= set(ids)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_others_is_text__wherever_it_stands(made: Month, text: str) -> None:
    harmless, hostile = (Page(write(with_text(made.summary(), each))) for each in ("harmless", text))
    assert [tag for tag, _ in hostile.elements] == [tag for tag, _ in harmless.elements]
    assert [sorted(each) for _, each in hostile.elements] == [sorted(each) for _, each in harmless.elements]
    assert text in "".join(hostile.text)


def test_text_that_turns_direction_is_shown__not_obeyed(made: Month) -> None:
    page = write(with_text(made.summary(), BIDI))
    assert "\u202e" not in page
    assert "a&lt;U+202E&gt;gpj.csv" in page


def test_card_numbers_are_masked__whoever_wrote_them(made: Month) -> None:
    page = write(with_text(made.summary(), f"VISA {CARD}"))
    assert CARD not in page
    assert "VISA **** **** **** 1111" in page


def test_file_ids_stay_whole__digits_that_look_like_a_card_number(made: Month) -> None:
    summary = made.summary()
    identity = [("file id", "a4111111111111111f")]
    assert "a4111111111111111f" in write(replace(summary, files=[replace(summary.files[0], identity=identity)]))


def test_page_lists_what_is_not_green_first__then_the_newest() -> None:
    summary = month(2_000).summary()
    listed = list_files(summary)
    first = listed.files[: listed.not_green]
    assert len(listed.files) == MOST_FILES
    assert not any(file.is_green for file in first)
    assert {file.file_id for file in summary.files if not file.is_green} == {file.file_id for file in first}
    assert [file.arrived_at for file in first] == sorted((file.arrived_at for file in first), reverse=True)
    assert "1,000 of 2,000 files" in write(summary)


def test_page_lists_half_of_its_room_green__none_of_the_others_is() -> None:
    summary = month(3_000).summary()
    bad = [replace(file, warnings=["w"]) for file in summary.files[:2_000]]
    listed = list_files(replace(summary, files=[*bad, *summary.files[2_000:]]))
    assert len(listed.files) == MOST_FILES
    assert sum(not file.is_green for file in listed.files) == MOST_FILES // 2


def test_page_has_three_megabytes_at_the_most__1000_files() -> None:
    assert len(write(month(1_000, runs=50).summary()).encode()) < 3_000_000


def test_page_is_whole__nothing_is_published_yet() -> None:
    summary = replace(month(1).summary(), cut=None, lake=None, files=[], actions=[], groups_moved=[], expected=None)
    page = write(summary)
    assert "No file arrived in 2026-06." in page
    assert "Nothing is published yet." in page
    assert "The calendar could not be read." in page


def test_passport_names_figures_that_differ__of_a_file(made: Month) -> None:
    summary = made.summary()
    wrong = replace(summary.files[3], checks=[Check("rows in file", 1_200, 1_199)])
    page = write(replace(summary, files=[*summary.files[:3], wrong, *summary.files[4:]]))
    assert "rows in file: 1,200 against 1,199" in page
    assert '<section class="verdict wrong"' in page


def test_page_shows_closed_months_that_moved__and_heads_of_the_chains(made: Month) -> None:
    moved = MovedMonth(2, "2026-05", "chip", Decimal("900.00"), Decimal("1000.00"), Decimal("-500.00"))
    page = write(made.summary(moved_months=[moved], heads={"silver": f"run 4, {'ab' * 32}"}))
    closed = page[page.index('id="closed"') : page.index('id="files"')]
    assert all(figure in closed for figure in ("2026-05", "900.00", "1,000.00", "-500.00", "-1,500.00"))
    assert "ab" * 32 in page[page.index('id="evidence"') :]
