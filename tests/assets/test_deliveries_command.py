"""`athena deliveries` names what was delivered and what became of it, so that a wrong one can be replaced."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

NIGHT = "2011-10-29"


@pytest.fixture
def shop(athena: Command, retail_files: Shop, tmp_path: Path) -> Shop:
    """A shop with a bulk file and one night registered, and no warehouse yet."""
    shop = type(retail_files)(tmp_path / "shop")
    shop.night_file(NIGHT).parent.mkdir(parents=True)
    shop.orders.write_text("".join(retail_files.orders.read_text().splitlines(keepends=True)[:201]))
    shop.night_file(NIGHT).write_bytes(retail_files.night_file(NIGHT).read_bytes())
    for night, path in (((), shop.orders), (("--night", NIGHT), shop.night_file(NIGHT))):
        answer = athena(shop.home, "load", "--source", "online_retail_ii", *night, path)
        assert answer.code == 0, answer.err
    return shop


def listed(athena: Command, shop: Shop) -> list[dict[str, object]]:
    answer = athena(shop.home, "deliveries", "--json")
    assert answer.code == 0, answer.err
    found: list[dict[str, object]] = json.loads(answer.out)
    return found


def test_deliveries_when_one_was_replaced_and_one_withdrawn_then_each_says_what_became_of_it(
    athena: Command, shop: Shop, retail_files: Shop
) -> None:
    bulk, nightly = listed(athena, shop)
    assert (bulk["kind"], bulk["rows"], bulk["files"]) == ("bulk", 200, [str(shop.orders)])
    assert (nightly["first_night"], nightly["last_night"], nightly["replaced_by"]) == (NIGHT, NIGHT, None)

    good = shop.folder / "corrected.csv"
    good.write_bytes(retail_files.night_file("2011-10-30").read_bytes())
    wrong = str(nightly["delivery_id"])
    assert athena(shop.home, "load", "--check", "--replaces", wrong, good).code == 0
    assert listed(athena, shop) == [bulk, nightly]
    answer = athena(shop.home, "load", "--replaces", wrong, good)
    assert answer.code == 0, answer.err
    assert answer.out.splitlines()[1:] == [f"it stands in the place of {wrong}", f"next: athena night {NIGHT}"]

    _, mended, gone = listed(athena, shop)
    assert (mended["replaces"], mended["files"], mended["last_night"]) == (wrong, [str(good)], NIGHT)
    assert gone == nightly | {"replaced_by": mended["delivery_id"], "retired_at": mended["registered_at"]}
    assert athena(shop.home, "withdraw", mended["delivery_id"]).code == 0
    assert [each["delivery_id"] for each in listed(athena, shop)] == [bulk["delivery_id"], wrong, mended["delivery_id"]]
    table = athena(shop.home, "deliveries")
    assert "replaced by" in table.out
    assert "withdrawn at" in table.out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--replaces", "nobody"), "no delivery is called nobody"),
        (("--replaces", "{bulk}", "--night", NIGHT), "covers other nights"),
        (("--replaces", "{nightly}", "--night", "2011-10-30"), "covers other nights"),
        (("--replaces", "{nightly}"), "itself"),
    ],
)
def test_load_when_a_replacement_cannot_be_meant_then_it_says_why_and_nothing_changed(
    options: tuple[str, ...], says: str, athena: Command, shop: Shop
) -> None:
    ids = {str(each["kind"]): str(each["delivery_id"]) for each in listed(athena, shop)}
    meant = [option.format(**ids) for option in options]
    for check in ((), ("--check",)):
        before = shop.files()
        answer = athena(shop.home, "load", *check, *meant, shop.night_file(NIGHT))
        assert answer.code == 1
        assert says in answer.err
        assert shop.files() == before


def test_load_when_a_history_was_replaced_before_any_night_then_the_first_night_follows_from_it(
    athena: Command, shop: Shop, retail_files: Shop
) -> None:
    bulk, _ = listed(athena, shop)
    before = json.loads((shop.home / "home.json").read_text())["first_night"]
    shop.orders.write_text("".join(retail_files.orders.read_text().splitlines(keepends=True)[:2001]))
    answer = athena(shop.home, "load", "--replaces", bulk["delivery_id"], shop.orders)
    assert answer.code == 0, answer.err
    assert "next: athena run --source online_retail_ii" in answer.out
    mended, *_ = listed(athena, shop)
    first = json.loads((shop.home / "home.json").read_text())["first_night"]
    assert before < first == mended["last_night"]


def test_deliveries_when_a_path_looks_like_markup_then_it_is_listed_as_it_is(
    athena: Command, shop: Shop, retail_files: Shop
) -> None:
    odd = shop.folder / "[bold]till [" / "]night :smile:.csv"
    odd.parent.mkdir()
    odd.write_bytes(retail_files.night_file("2011-10-30").read_bytes())
    assert athena(shop.home, "load", "--night", "2011-10-30", odd).code == 0
    table = athena(shop.home, "deliveries")
    assert table.code == 0
    assert "[bold]till[/]night:smile:.csv" in "".join(table.out.split())


@pytest.mark.parametrize("name", ["a\nnext: rm -rf ~.csv", "\x1b[2Jb.csv"])
def test_load_when_a_file_name_would_act_on_screens_then_it_is_refused_and_nobody_sees_it_act(
    name: str, athena: Command, shop: Shop, retail_files: Shop
) -> None:
    file = shop.folder / "[n]" / name
    file.parent.mkdir()
    for given in (file, file.parent):
        file.write_bytes(retail_files.night_file("2011-10-30").read_bytes())
        before = shop.files()
        answer = athena(shop.home, "load", "--night", "2011-10-30", given)
        assert answer.code == 1
        assert "control characters in its name" in answer.err
        assert shop.files() == before
    told = athena(shop.home, "alerts").out + (shop.home / "monitoring" / "alerts.log").read_text() + answer.err
    assert "\x1b" not in told
    assert not [line for line in told.splitlines() if line.startswith("next: rm")]
