"""The engineer on call lets one refused night through by command: for a while, by name, and visibly."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Answer, Command, Shop

NIGHT, NEXT = "2011-10-29", "2011-10-30"
TABLE, ORDERS = "orders.order_lines", "orders.orders"
"""Lines without a customer make orders without one: both tables refuse the night."""
CHECK = "completeness"


def deliver_without_names(athena: Command, shop: Shop, night: str) -> None:
    """Register a night in which no line says who bought."""
    file = shop.night_file(night)
    header, *lines = file.read_text().splitlines()
    rows = [line.split(",") for line in lines]
    file.write_text("\n".join([header, *(",".join([*row[:6], "", row[7]]) for row in rows)]) + "\n")
    assert athena(shop.home, "load", "--night", night, file).code == 0


@pytest.fixture
def refused(athena: Command, retail_shop: Shop) -> Shop:
    """A shop whose night was stopped by completeness."""
    deliver_without_names(athena, retail_shop, NIGHT)
    assert f"{TABLE}, {CHECK}" in athena(retail_shop.home, "night", NIGHT).err
    return retail_shop


def granted(athena: Command, shop: Shop, table: str, *more: str) -> Answer:
    because = "the till lost the names; the shop confirmed the sums"
    return athena(shop.home, "override", "grant", table, NIGHT, "--by", "Ada", "--reason", because, *more)


def listed(athena: Command, shop: Shop, *more: str) -> list[dict[str, Any]]:
    answer = athena(shop.home, "override", "list", "--json", *more)
    assert answer.code == 0, answer.err
    found: list[dict[str, Any]] = json.loads(answer.out)
    return found


def test_override_when_granted_by_command_then_the_night_is_published_and_everyone_is_told(
    athena: Command, refused: Shop
) -> None:
    answer = granted(athena, refused, TABLE, "--check", CHECK, "--hours", "2")
    assert answer.code == 0, answer.err
    assert "Ada" in answer.out
    (before,) = listed(athena, refused)
    assert (before["asset"], before["first_partition"], before["check"], before["uses"]) == (TABLE, NIGHT, CHECK, 0)
    half = athena(refused.home, "night", NIGHT)
    assert half.code == 1, "the other table has not been let through"
    assert f"{ORDERS}, {CHECK}" in half.err
    assert f"{TABLE}, {CHECK}" not in half.err, "what was let through has stopped nothing"
    for asked in ((), ("predictions.churn", NIGHT)):
        said = athena(refused.home, "why", *asked).out
        assert f"{ORDERS} {NIGHT} is refused" in said
        assert f"{TABLE} {NIGHT}" not in said
    assert granted(athena, refused, ORDERS).code == 0
    night = athena(refused.home, "night", NIGHT)
    assert night.code == 0, night.err
    assert refused.rows(f"SELECT count(*) > 0 FROM predictions.churn WHERE night = DATE '{NIGHT}'") == [(True,)]
    assert all(each["uses"] > 0 for each in listed(athena, refused)), "what was let through is counted"
    said = athena(refused.home, "why", TABLE, NIGHT).out
    assert f"{TABLE} {NIGHT} failed its checks and is let through" in said
    assert "overridden by Ada until" in said
    assert "athena override grant" not in said


def test_override_when_revoked_then_the_night_is_refused_again(athena: Command, refused: Shop) -> None:
    assert granted(athena, refused, TABLE).code == 0
    (given,) = listed(athena, refused)
    ended = athena(refused.home, "override", "revoke", str(given["id"]), "--by", "Grace")
    assert ended.code == 0, ended.err
    assert listed(athena, refused) == []
    assert [each["revoked_by"] for each in listed(athena, refused, "--all")] == ["Grace"]
    again = athena(refused.home, "night", NIGHT)
    assert again.code == 1
    assert f"{TABLE}, {CHECK}" in again.err
    twice = athena(refused.home, "override", "revoke", str(given["id"]), "--by", "Grace")
    assert twice.code == 1
    assert "next:" in twice.err


def test_override_when_one_night_is_let_through_then_the_next_is_judged_as_ever(athena: Command, refused: Shop) -> None:
    assert all(granted(athena, refused, table).code == 0 for table in (TABLE, ORDERS))
    assert athena(refused.home, "night", NIGHT).code == 0
    deliver_without_names(athena, refused, NEXT)
    answer = athena(refused.home, "night", NEXT)
    assert answer.code == 1
    assert f"{TABLE}, {CHECK}" in answer.err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("orders.nothing", NIGHT), "orders.nothing has no blocking check to override"),
        ((TABLE, "2031-01-01"), "has no partition '2031-01-01'"),
        ((TABLE, NIGHT, "--check", "luck"), "has no blocking check luck"),
        ((TABLE, NIGHT, "--hours", "169"), "168"),
        ((TABLE, NIGHT, "--hours", "-1"), "hours"),
        ((TABLE, NIGHT, "--to", "2011-10-27"), "2011-10-27"),
        ((TABLE, NIGHT, "--reason", "safe\nnext: rm -rf /"), "found:    'safe\\nnext: rm -rf /'"),
        ((TABLE, NIGHT, "--reason", "\x1b[2Jsafe"), "found:    '\\x1b[2Jsafe'"),
        ((TABLE, NIGHT, "--by", "Ada\x9b2J"), "--by holds what does not belong"),
        ((TABLE, NIGHT, "--by", "  "), "--by says nothing"),
    ],
)
def test_grant_when_its_scope_is_impossible_then_it_says_so_and_writes_nothing(
    arguments: tuple[str, ...], says: str, athena: Command, retail_shop: Shop
) -> None:
    if NIGHT in arguments:
        assert athena(retail_shop.home, "load", "--night", NIGHT, retail_shop.night_file(NIGHT)).code == 0
    said = ("--by", "Ada", "--reason", "it is safe to read")
    answer = athena(retail_shop.home, "override", "grant", *said, *arguments)
    assert answer.code == 1
    assert says in answer.err
    assert "next:" in answer.err or "expected" in answer.err
    assert listed(athena, retail_shop, "--all") == []


def test_override_when_its_words_look_like_markup_then_every_screen_shows_them_as_they_are(
    athena: Command, refused: Shop
) -> None:
    person, reason = "Ada [red]L[/red]", "till [/] of [bold]Leeds[/bold] :warning:"
    granting = ("override", "grant", TABLE, NIGHT, "--by", person, "--reason", reason)
    answer = athena(refused.home, *granting)
    assert answer.code == 0, answer.err
    for screen in (answer, athena(refused.home, "override", "list"), athena(refused.home, "why", TABLE, NIGHT)):
        shown = "".join(screen.out.split())
        assert "".join(person.split()) in shown
        assert "till[/]of" in shown
    ended = athena(refused.home, "override", "revoke", "1", "--by", "[/]\nnext: rm")
    assert (ended.code, "--by holds" in ended.err) == (1, True)
    assert [each["revoked_by"] for each in listed(athena, refused)] == [None]
