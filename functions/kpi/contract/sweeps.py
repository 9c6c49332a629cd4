"""The ledger's items of the sweep: where its walk stands, what it has to look at, and the mails that it has sent."""

from typing import Annotated, Literal, NotRequired, TypedDict


class SweepItem(TypedDict):
    """The item of the sweep."""

    file_id: Annotated[str, "`sweep`"]
    kind: Annotated[Literal["sweep"], "`sweep`"]
    holder: NotRequired[Annotated[str, "the call that is at work"]]
    held_until: NotRequired[Annotated[str, "when another call may take its place"]]
    began_at: NotRequired[Annotated[str, "when the last walk through Bronze began"]]
    after_key: NotRequired[Annotated[str, "the last key that the walk has reached; absent when it is through"]]
    unsent: NotRequired[Annotated[list[str], "lines of what was left behind that no mail has told yet"]]


class CalendarsItem(TypedDict):
    """The item of the calendars."""

    file_id: Annotated[str, "`calendars`"]
    kind: Annotated[Literal["calendars"], "`calendars`"]
    keys: Annotated[set[str], "of those that a walk has seen, or `assay expect` has written"]


class ActionsItem(TypedDict):
    """The item of the actions that may lack their mail."""

    file_id: Annotated[str, "`actions`"]
    kind: Annotated[Literal["actions"], "`actions`"]
    ids: NotRequired[Annotated[set[str], "file ids of actions; the sweep drops one once its execution has ended"]]


class LateItem(TypedDict):
    """An item per mail about an expected file or a gap: that it is late, or that it came; that it is, or is closed."""

    file_id: Annotated[str, "`late#`, `came#`, `calendar#`, `gap#` or `closed#`, and a hex SHA-256 of what it is about"]
    kind: Annotated[Literal["notice"], "`notice`"]
    text: Annotated[str, "the line of the mail"]
    claimed_at: Annotated[str, "when a sweep began to send it"]
    sent_at: NotRequired[Annotated[str, "when the mail was sent"]]
