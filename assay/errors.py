"""Errors that a person can act on: what is wrong, and what to do about it."""


class UserError(Exception):
    """An expected error: one line that says what is wrong, one that says what to do."""

    def __init__(self, what: str, do: str) -> None:
        super().__init__(what)
        self.what = what
        self.do = do


class NothingPublishedError(UserError):
    """A question about Silver or Gold that comes before the first file has been published."""

    def __init__(self, what: str = "nothing published yet") -> None:
        super().__init__(what, "upload a file first: assay upload FILE --wait")


def first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
