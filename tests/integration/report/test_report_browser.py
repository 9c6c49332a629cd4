"""The page in a real browser: quiet, alone, accessible, on a screen, a phone and paper.

It wants Chromium. Where there is none, the tests are skipped; on Debian it comes with `apt-get install chromium`.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import axe_playwright_python
import pytest
from generated_month import month
from playwright.sync_api import Browser, Page, expect, sync_playwright

from assay.report.page import write

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
INSTALL = "there is no Chromium to open the report in: apt-get install chromium"
SERIOUS = ("serious", "critical")
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
SCHEMES = ("light", "dark")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A month of 200 files, with everything that a month can have."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(write(month(200, runs=20).summary()), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip(INSTALL)
    with sync_playwright() as playwright:
        # Root may not use Chromium's sandbox; the page is our own.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport=WIDE)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(address)
    yield page
    context.close()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("viewport", [WIDE, PHONE], ids=["screen", "phone"])
def test_page_is_quiet_and_alone__no_message_and_no_request(
    browser: Browser, address: str, viewport: Any, scheme: Any
) -> None:
    page = browser.new_page(viewport=viewport, color_scheme=scheme)
    said, asked = list[str](), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    assert (said, asked) == ([], [address])
    assert page.evaluate("document.documentElement.scrollWidth") == viewport["width"]
    page.close()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_page_has_no_serious_fault__axe(browser: Browser, tmp_path: Path, scheme: Any) -> None:
    path = tmp_path / "few.html"
    path.write_text(write(month(30).summary()), encoding="utf-8")
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(path.as_uri())
    page.evaluate("for (const each of document.querySelectorAll('details')) each.open = true")
    page.evaluate(AXE)
    found = page.evaluate("axe.run()")["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in SERIOUS] == []
    context.close()


def test_page_follows_the_browser__dark_paper_on_a_dark_screen(browser: Browser, address: str) -> None:
    paper = dict[str, str]()
    for scheme in SCHEMES:
        page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(address)
        paper[scheme] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.close()
    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 20, 25)"}


def test_anchor_leads_to_the_open_passport__of_a_file(page: Page) -> None:
    link = page.locator("#list tbody a").first
    target = (link.get_attribute("href") or "")[1:]
    link.click()
    assert page.evaluate("location.hash") == f"#{target}"
    # The page opens it when the browser tells of the new address, which is after the click.
    expect(page.locator(f"#{target} dl")).to_be_visible()
    assert page.locator("nav a").count() == page.evaluate(
        "[...document.querySelectorAll('nav a')].filter(each => document.querySelector(each.hash)).length"
    )


def test_list_is_sorted_and_filtered__by_the_page_itself(page: Page) -> None:
    rows = page.locator("#list tbody tr:visible")
    amounts = (
        "[...document.querySelectorAll('#list tbody tr')].map(row => +row.cells[5].textContent.replaceAll(',', ''))"
    )
    page.get_by_role("button", name="amount").click()
    up = page.evaluate(amounts)
    page.get_by_role("button", name="amount").click()
    assert up == sorted(up)
    assert page.evaluate(amounts) == sorted(up, reverse=True)
    assert page.locator("#list th[aria-sort]").inner_text().startswith("amount")
    page.get_by_label("Show only files with").fill("REJECTED")
    expect(rows).to_have_count(4)
    page.get_by_label("Show only files with").fill("")
    expect(rows).to_have_count(200)


def test_page_is_whole__without_its_script(browser: Browser, address: str) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("#list tbody tr").count() == 200
    assert page.get_by_label("Show only files with").is_hidden()
    passport = page.locator("details.passport").first
    passport.locator("summary").click()
    expect(passport.locator("dl")).to_be_visible()
    context.close()


def test_page_prints_what_is_not_green__and_not_the_other_passports(page: Page) -> None:
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print")
    passports = page.locator("details.passport:visible")
    assert passports.count() == page.locator("details.passport:not(.green)").count()
    assert passports.count() == passports.locator("dl:visible").count()
    assert page.locator("nav").is_hidden()
    assert page.pdf(format="A4")[:5] == b"%PDF-"


def test_page_opens_in_a_second__of_10000_files(browser: Browser, tmp_path: Path) -> None:
    """The list of a large month ends. The time is the page's own: what the machine does besides is none of it."""
    path = tmp_path / "large.html"
    path.write_text(write(month(10_000, runs=100).summary()), encoding="utf-8")
    page = browser.new_page(viewport=WIDE)  # type: ignore[arg-type]
    devtools = page.context.new_cdp_session(page)
    devtools.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(path.as_uri())
    measured = {each["name"]: each["value"] for each in devtools.send("Performance.getMetrics")["metrics"]}
    assert page.locator("#list tbody tr").count() == 1_000
    assert measured["TaskDuration"] < 1
    page.close()
