"""A slow, plain reading of the data contract, written from its words: what the function is held to."""

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NUMBER = r"(?=[.0-9])(([0-9]{1,3}(,[0-9]{3})+|[0-9]{1,3}(_[0-9]{3})+|[0-9]+)?(\.[0-9]+)?)"
AMOUNT = re.compile(
    rf"\$ *-(?P<dash>)|(\$ *([-+] *)?|[-+] *(\$ *)?)?(?P<n>{NUMBER})|\((\$ *)?(?P<m>{NUMBER})\)|\$ *\((?P<o>{NUMBER})\)"
)
HALF = r"[ \u00a0\u202f]?(?P<half>[AaPp][Mm])"
TIME = rf"(?P<h>[01]?[0-9]|2[0-3]):(?P<mi>[0-5][0-9])(:(?P<s>[0-5][0-9])(\.(?P<f>[0-9]{{1,9}}))?)?({HALF})?"
ZONE = r"(?P<z>Z| UTC| ?[+-][0-9]{2}(:?[0-9]{2})?)"
ISO = re.compile(rf"(?P<y>[0-9]{{4}})-(?P<mo>[0-9]{{2}})-(?P<d>[0-9]{{2}})([ T]{TIME}{ZONE}?)?")
AMERICAN = re.compile(rf"(?P<mo>[0-9]{{1,2}})/(?P<d>[0-9]{{1,2}})/(?P<y>[0-9]{{4}})( {TIME})?")


def split(text: str, delimiter: str = ",") -> list[str] | None:
    """Walk over a record sign by sign (section 2, rule 4)."""
    fields, at = [], 0
    while True:
        if text[at : at + 1] == '"':
            end = at + 1
            while True:
                end = text.find('"', end)
                if end < 0:
                    return None
                if text[end + 1 : end + 2] != '"':
                    break
                end += 2
            fields.append(text[at + 1 : end].replace('""', '"'))
            at = end + 1
        else:
            end = text.find(delimiter, at)
            end = len(text) if end < 0 else end
            if '"' in text[at:end]:
                return None
            fields.append(text[at:end])
            at = end
        if at == len(text):
            return fields
        if text[at] != delimiter:
            return None
        at += 1


def lines_of(text: str) -> list[str]:
    """Return the physical lines without what belongs to their ends (section 2, rule 1)."""
    *lines, last = [line.rstrip("\r\x1a\0") for line in text.split("\n")]
    return [*lines, last] if last else lines


def records(
    lines: list[str], width: int, *, delimiter: str = ",", first_line: int = 2
) -> list[tuple[int, str, list[str] | str]]:
    """Return (line, raw, fields or broken rule) of the lines behind a one-line header (section 2)."""
    found, at = [], 0
    while at < len(lines):
        raw, used = lines[at], 1
        if raw.count('"') % 2:
            partner = next((n for n in range(at + 1, len(lines)) if lines[n].count('"') % 2), None)
            joined = "\n".join(lines[at : partner + 1]) if partner is not None and partner - at < 64 else None
            if joined is not None and len(split(joined, delimiter) or []) == width:
                raw, used = joined, partner + 1 - at
        if not is_empty(raw, delimiter):
            found.append((at + first_line, raw, _judged(raw, width, delimiter)))
        at += used
    return found


def is_empty(raw: str, delimiter: str) -> bool:
    fields = split(raw, delimiter)
    return fields is not None and not any(field.strip(" \t") for field in fields)


def _judged(raw: str, width: int, delimiter: str) -> list[str] | str:
    fields = split(raw, delimiter)
    if fields is None:
        return "malformed_quotes"
    if len(fields) != width:
        return "too_few_fields" if len(fields) < width else "too_many_fields"
    return fields


def integer(text: str) -> int | None:
    if not re.fullmatch(r"-?[0-9]{1,19}(\.0+)?", text):
        return None
    number = int(text.partition(".")[0])
    return number if -(2**63) <= number < 2**63 else None


def holds_card_number(text: str) -> bool:
    """Look at each number of whole groups of digits that follow each other (section 3.4)."""
    groups = list(re.finditer("[0-9]+", text))
    for first, begin in enumerate(groups):
        if re.search(r"[0-9]\.$", text[: begin.start()]):
            continue
        digits, end = "", begin.start()
        for group in groups[first:]:
            if not re.fullmatch("[ \u00a0\u202f\u2010\u2011\u2013\u2212-]{0,3}", text[end : group.start()]):
                break
            digits, end = digits + group[0], group.end()
            is_date = re.match("(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])", digits)
            if 13 <= len(digits) <= 19 and not is_date and check_sum(digits) % 10 == 0:
                return True
    return False


def check_sum(digits: str) -> int:
    return sum(int(sign) for at, digit in enumerate(reversed(digits)) for sign in str(int(digit) * (1 + at % 2)))


def amount(text: str) -> tuple[Decimal | None, str | None]:
    if holds_card_number(text):
        return None, "amount_unreadable"
    text = re.sub("(?<=[0-9])[\u00a0\u202f](?=[0-9])", "_", text)
    text = re.sub("[\u00a0\u202f]", " ", re.sub("[\u2212\u2013]", "-", text)).strip(" ")
    match = AMOUNT.fullmatch(text)
    if not match:
        return None, "amount_unreadable"
    number = next((match[name] for name in "nmo" if match[name] is not None), "0").replace(",", "").replace("_", "")
    try:
        value = Decimal(number)
    except InvalidOperation:
        return None, "amount_unreadable"
    whole, _, decimals = number.partition(".")
    if decimals.rstrip("0")[2:]:
        return None, "amount_too_precise"
    if len(whole.lstrip("0")) > 16:
        return None, "amount_too_large"
    return (-value if "-" in text or "(" in text else value), None


def instant(text: str) -> datetime | None:
    match = ISO.fullmatch(text) or AMERICAN.fullmatch(text)
    if not match:
        return None
    part = match.groupdict()
    try:
        day = date(int(part["y"]), int(part["mo"]), int(part["d"]))
    except ValueError:
        return None
    micro = int((part["f"] or "").ljust(6, "0")[:6])
    offset = _offset(part.get("z") or "Z")
    if offset is None or abs(offset) > timedelta(hours=18) or day.year < 1899:
        return None
    hour = int(part["h"] or 0)
    if part["half"]:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if part["half"].lower() == "pm" else 0)
    time = timedelta(hours=hour, minutes=int(part["mi"] or 0), seconds=int(part["s"] or 0))
    at = datetime(day.year, day.month, day.day, tzinfo=UTC) + time + timedelta(microseconds=micro) - offset
    return at if at >= datetime(1900, 1, 1, tzinfo=UTC) else None


def _offset(text: str) -> timedelta | None:
    if text in ("Z", " UTC"):
        return timedelta()
    sign, digits = text.strip(" ")[0], re.sub("[^0-9]", "", text)
    hours, minutes = int(digits[:2]), int(digits[2:] or "0")
    size = timedelta(hours=hours, minutes=minutes)
    return None if minutes > 59 else (-size if sign == "-" else size)


def judge(
    row: dict[str, str | None], last_modified_at: datetime
) -> tuple[list[str], int | None, int | None, int | None]:
    """Return broken rules, key, cents and microseconds of a row's fields (section 3.1)."""
    row = {name: (value or "").strip(" \t") or None for name, value in row.items()}
    key = integer(row["dms_id"]) if row["dms_id"] else None
    money, money_rule = amount(row["amount"]) if row["amount"] else (None, "amount_missing")
    at = instant(row["date"]) if row["date"] else None
    broken = [] if key is not None else ["dms_id_unreadable" if row["dms_id"] else "dms_id_missing"]
    broken += [money_rule] if money_rule else []
    if at is None:
        broken.append("date_unreadable" if row["date"] else "date_missing")
    elif at > last_modified_at + timedelta(days=1):
        broken.append("date_in_future")
    channel, zip_code, mcc = row.get("use_chip"), row.get("zip"), row.get("mcc")
    channels = {name + tail for name in ("swipe", "chip", "online") for tail in ("", " transaction")}
    if channel and channel.lower() not in channels:
        broken.append("use_chip_unknown")
    if zip_code and (not re.fullmatch(r"[0-9]{1,5}(\.0+)?", zip_code) or not Decimal(zip_code)):
        broken.append("zip_impossible")
    for name in ("client_id", "card_id", "merchant_id"):
        if row.get(name) and integer(str(row[name])) is None:
            broken.append(f"{name}_unreadable")
    if mcc and not re.fullmatch(r"[0-9]{1,4}(\.0+)?", mcc):
        broken.append("mcc_unreadable")
    cents = None if money is None else int(money.scaleb(2))
    us = None if at is None else (at - EPOCH) // timedelta(microseconds=1)
    return broken, key, cents, us
