"""A wrong delivery is replaced or withdrawn in one step: whatever stops the command, one of the two counts."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from athena_assets.nights import Night
from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.errors import AlreadyDelivered, DeliveryChanged, NotAReplacement, UnknownDelivery
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import source_named

RETAIL = source_named("online_retail_ii")
HEADER = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
NIGHT = Night.parse("2010-12-02")
LOADED, MENDED, LATER = (datetime(2011, 1, day, 9) for day in (1, 2, 3))


def lines_file(path: Path, *, quantity: int, day: str = "2010-12-02", encoding: str = "utf-8") -> Path:
    """One order line; in another encoding than UTF-8 it is converted before it is read."""
    path.write_text(
        f"{HEADER}\n51,85123A,CAFÉ,{quantity},{day} 10:00:00,2.55,17850,France\n", encoding=encoding, newline=""
    )
    return path


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing.of(tmp_path / "home")


@pytest.fixture
def bad(tmp_path: Path, landing: Landing) -> Delivery:
    """The wrong delivery of the night, between two good ones."""
    for day, quantity in (("2010-12-01", 1), ("2010-12-03", 3)):
        path = lines_file(tmp_path / f"{day}.csv", quantity=quantity, day=day)
        load(landing, path, night=Night.parse(day))
    return load(landing, lines_file(tmp_path / "bad.csv", quantity=900, encoding="cp1252"))


def load(
    landing: Landing, path: Path, *, night: Night = NIGHT, replaces: str | None = None, at: datetime = LOADED
) -> Delivery:
    return landing.register(RETAIL, [path], kind="nightly", registered_at=at, last_night=night, replaces=replaces)


def counting(landing: Landing) -> list[str]:
    return [delivery.delivery_id for delivery in landing.deliveries()]


def test_replace_when_the_file_lies_elsewhere_then_the_new_counts_and_the_old_is_kept_for_the_record(
    tmp_path: Path, landing: Landing, bad: Delivery
) -> None:
    good = load(landing, lines_file(tmp_path / "good.csv", quantity=2), replaces=bad.delivery_id, at=MENDED)
    assert landing.for_night("online_retail_ii", NIGHT) == good
    assert good.replaces == bad.delivery_id
    assert bad.delivery_id not in counting(landing)
    assert len(counting(landing)) == 3
    (retired,) = landing.manifests.retired()
    assert (retired.delivery, retired.replaced_by, retired.retired_at) == (bad, good.delivery_id, MENDED)
    record = json.loads((landing.root / "retired" / f"{bad.delivery_id}.json").read_text())
    assert record["replaced_by"] == good.delivery_id
    assert (landing.root / "deliveries" / f"{good.delivery_id}.json").is_file()


def test_replace_when_the_file_was_overwritten_then_it_is_read_in_place_of_the_old(
    landing: Landing, bad: Delivery
) -> None:
    path = lines_file(Path(bad.files[0].path), quantity=2)
    with pytest.raises(DeliveryChanged) as refused:
        load(landing, path)
    command = f"athena load --night 2010-12-02 --replaces {bad.delivery_id} {path}"
    assert command in str(refused.value)
    good = load(landing, path, replaces=bad.delivery_id)
    assert str(landing.verified(good, good.files[0])) == str(path)
    assert counting(landing).count(good.delivery_id) == 1


def test_replace_when_said_twice_then_it_is_done_once(tmp_path: Path, landing: Landing, bad: Delivery) -> None:
    path = lines_file(tmp_path / "good.csv", quantity=2)
    first = load(landing, path, replaces=bad.delivery_id, at=MENDED)
    before = every_file(landing)
    assert load(landing, path, replaces=bad.delivery_id, at=LATER) == first
    assert every_file(landing) == before


def test_replace_when_a_replacement_was_wrong_too_then_the_first_may_come_back(
    tmp_path: Path, landing: Landing, bad: Delivery
) -> None:
    worse = load(landing, lines_file(tmp_path / "worse.csv", quantity=901), replaces=bad.delivery_id, at=MENDED)
    back = load(landing, Path(bad.files[0].path), replaces=worse.delivery_id, at=LATER)
    assert back.delivery_id == bad.delivery_id
    assert landing.for_night("online_retail_ii", NIGHT) == back
    (retired,) = landing.manifests.retired()
    assert (retired.delivery.delivery_id, retired.replaced_by) == (worse.delivery_id, bad.delivery_id)


def test_replace_when_it_cannot_be_meant_then_it_says_why_and_nothing_changed(
    tmp_path: Path, landing: Landing, bad: Delivery
) -> None:
    good, before = lines_file(tmp_path / "good.csv", quantity=2), every_file(landing)
    other = Night.parse("2010-12-03")
    with pytest.raises(UnknownDelivery, match="no delivery is called online_retail_ii-0000") as unknown:
        load(landing, good, replaces="online_retail_ii-0000")
    assert bad.delivery_id in str(unknown.value)
    with pytest.raises(NotAReplacement, match="covers other nights") as elsewhere:
        load(landing, good, night=other, replaces=bad.delivery_id)
    assert f"athena load --night 2010-12-02 --replaces {bad.delivery_id} FILES" in str(elsewhere.value)
    with pytest.raises(NotAReplacement, match="covers other nights"):
        landing.register(RETAIL, [good], kind="bulk", registered_at=LOADED, replaces=bad.delivery_id)
    same = Path(shutil.copy(bad.files[0].path, tmp_path / "same.csv"))
    with pytest.raises(NotAReplacement, match=f"the files are those of {bad.delivery_id} itself"):
        load(landing, same, replaces=bad.delivery_id)
    with pytest.raises(AlreadyDelivered, match=r"2010-12-03\.csv was delivered before"):
        load(landing, tmp_path / "2010-12-03.csv", replaces=bad.delivery_id)
    assert every_file(landing) == before


def test_replace_when_the_delivery_was_replaced_by_another_then_it_names_that_one(
    tmp_path: Path, landing: Landing, bad: Delivery
) -> None:
    good = load(landing, lines_file(tmp_path / "good.csv", quantity=2), replaces=bad.delivery_id)
    with pytest.raises(UnknownDelivery, match=f"replaced by {good.delivery_id}"):
        load(landing, lines_file(tmp_path / "better.csv", quantity=4), replaces=bad.delivery_id)


def test_withdraw_when_the_delivery_is_wrong_then_the_night_is_as_if_it_had_never_come(
    tmp_path: Path, landing: Landing, bad: Delivery
) -> None:
    assert landing.withdraw(bad.delivery_id, at=MENDED) == bad
    with pytest.raises(UnknownDelivery, match="has not been delivered"):
        landing.for_night("online_retail_ii", NIGHT)
    (retired,) = landing.manifests.retired()
    assert (retired.delivery, retired.replaced_by, retired.fate) == (bad, None, "withdrawn at 2011-01-02 09:00")
    with pytest.raises(UnknownDelivery, match="no longer counts"):
        landing.withdraw(bad.delivery_id, at=LATER)
    again = load(landing, Path(bad.files[0].path))
    assert landing.for_night("online_retail_ii", NIGHT) == again
    assert landing.manifests.retired() == []


def test_replace_when_killed_at_any_boundary_then_one_of_the_two_counts_and_again_completes_it(
    tmp_path: Path, landing: Landing, bad: Delivery
) -> None:
    good = lines_file(tmp_path / "good.csv", quantity=2, encoding="cp1252")
    boundaries = killed_at_each_boundary(landing, lambda copy: load(copy, good, replaces=bad.delivery_id), tmp_path)
    seen = []
    for copy in boundaries:
        (counts,) = [each for each in copy.deliveries() if each.last_night == NIGHT.day]
        seen.append(counts.delivery_id == bad.delivery_id)
        fates = [each.delivery.delivery_id for each in copy.manifests.retired()]
        assert fates == ([] if seen[-1] else [bad.delivery_id])
        done = load(copy, good, replaces=bad.delivery_id)
        assert copy.for_night("online_retail_ii", NIGHT) == done
        assert done.delivery_id != bad.delivery_id
        assert copy.verified(done, done.files[0]).is_file()
        load(copy, lines_file(tmp_path / "next.csv", quantity=5, day="2010-12-04"), night=Night.parse("2010-12-04"))
        names = sorted(path.stem for path in (copy.root / "deliveries").iterdir())
        assert names == sorted(counting(copy))
        assert len(names) == 4
    assert seen == [True] * 5 + [False] * 3


def test_replacement_when_killed_half_way_then_the_first_may_be_delivered_again_in_its_place(
    tmp_path: Path, landing: Landing, bad: Delivery
) -> None:
    """The new manifest still has the file name of the old one, whose id then comes back."""
    good = lines_file(tmp_path / "good.csv", quantity=2)
    for copy in killed_at_each_boundary(landing, lambda copy: load(copy, good, replaces=bad.delivery_id), tmp_path):
        (counts,) = [each for each in copy.deliveries() if each.last_night == NIGHT.day]
        if counts.delivery_id != bad.delivery_id:
            load(copy, Path(bad.files[0].path), replaces=counts.delivery_id)
            assert copy.for_night("online_retail_ii", NIGHT).delivery_id == bad.delivery_id
            assert len(counting(copy)) == 3


def test_withdraw_when_killed_at_any_boundary_then_it_counts_until_the_last(
    tmp_path: Path, landing: Landing, bad: Delivery
) -> None:
    boundaries = killed_at_each_boundary(landing, lambda copy: copy.withdraw(bad.delivery_id, at=MENDED), tmp_path)
    counts = [bad.delivery_id in counting(copy) for copy in boundaries]
    assert counts == [True, True, True, False]
    for copy, still in zip(boundaries, counts, strict=True):
        assert bool(copy.manifests.retired()) == (not still)


def every_file(landing: Landing) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(landing.root.rglob("*")) if path.is_file()}


def killed_at_each_boundary(landing: Landing, act: Callable[[Landing], object], folder: Path) -> list[Landing]:
    """A copy of the landing zone for each moment before and after a rename or a removal, the act killed there."""
    copies: list[Landing] = []
    while True:
        copy = Landing(folder / f"killed-{len(copies)}" / "landing")
        shutil.copytree(landing.root, copy.root)
        child = os.fork()
        if child == 0:
            _die_at(len(copies) + 1)
            act(copy)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            shutil.rmtree(copy.root)
            return copies
        copies.append(copy)


def _die_at(boundary: int) -> None:
    """Kill this process before or after the rename or removal of a manifest or conversion that has this number."""
    passed, replace, unlink = 0, os.replace, Path.unlink

    def at_boundary() -> None:
        nonlocal passed
        passed += 1
        if passed == boundary:
            os.kill(os.getpid(), signal.SIGKILL)

    def replacing(source: Path, target: Path) -> None:
        at_boundary()
        replace(source, target)
        at_boundary()

    def unlinking(path: Path, missing_ok: bool = False) -> None:
        at_boundary()
        unlink(path, missing_ok)
        at_boundary()

    os.replace = replacing  # type: ignore[assignment]  # the paths here are never descriptors
    Path.unlink = unlinking  # type: ignore[method-assign]
