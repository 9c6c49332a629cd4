"""What the mails say of a run of Gold that changes a closed month."""

from contract.closings import ChannelTotals, MonthMoved
from contract.items import GoldChanges

from glue.lake.changes import notice_of

NOTHING: GoldChanges = {
    "facts": {"inserted": 0, "updated": 0, "deleted": 0},
    "members": {},
    "days": 0,
    "groups": {},
    "largest": [],
}
WITHOUT: ChannelTotals = {"row_count": 1, "total_amount": "10.00"}
WITH: ChannelTotals = {"row_count": 2, "total_amount": "1015.50"}


def lines_of(moved: MonthMoved) -> list[str]:
    return notice_of(NOTHING, [moved])["text"].splitlines()


def test_notice_tells_the_difference_to_the_closing__file_that_came_late() -> None:
    moved: MonthMoved = {"month": "2020-06", "channel": "chip", "closed": WITHOUT, "before": WITHOUT, "after": WITH}
    told = "  2020-06, chip: 10.00 → 1,015.50; closed with 10.00, now +1,005.50 in +1 facts"
    assert told in lines_of(moved)


def test_notice_says_that_a_month_is_as_it_was_closed__late_file_is_undone() -> None:
    moved: MonthMoved = {"month": "2020-06", "channel": "chip", "closed": WITHOUT, "before": WITH, "after": WITHOUT}
    assert "  2020-06, chip: 1,015.50 → 10.00; closed with 10.00, now as closed" in lines_of(moved)
