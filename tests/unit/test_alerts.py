"""Alerts: told once on each channel, again when it gets worse, when it lasts and when it is over; none is lost."""

import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from athena_assets.errors import InvalidArgument
from athena_assets.impact import AffectedModel, AffectedTable, Impact
from athena_assets.monitoring.alerting import Knowledge, group_with
from athena_assets.monitoring.delivery import deliver, open_alerts
from athena_assets.sources.errors import ManifestDamaged
from resources.alert_book import LEASE, AlertBook
from resources.alert_sink import AlertNotSent, AlertSink, Message
from resources.findings import Finding, Findings

AT = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
NIGHT = "2026-10-29"
HOUR, DAY = timedelta(hours=1), timedelta(hours=24)
PATH = ["raw.order_lines", "orders.order_lines", "features.customer_features", "predictions.churn"]

KNOWLEDGE = Knowledge(
    downstream_of=lambda asset: set(PATH[PATH.index(asset) + 1 :]) if asset in PATH else set(),
    impact_of=lambda asset: Impact(
        asset,
        (),
        (AffectedTable(asset, "order-data", ()), AffectedTable("predictions.churn", "retention", ())),
        (),
        (AffectedModel("churn", "Grace", "retention", ()),),
        ("predictions.churn",),
    ),
    mend=lambda finding: f"athena load --night {finding.partition} FILES",
)


def failed(asset: str = PATH[0], severity: str = "ERROR", partition: str = NIGHT) -> Finding:
    return Finding(
        "check", severity, asset, partition, "completeness", "amount.required", "amount is null",  # type: ignore[arg-type]
        figure="94.2 %", limit="5.00 %", owner="order-data",
    )  # fmt: skip


@dataclass
class Place:
    """A home with its findings, and what its channels have received."""

    home: Path
    down: set[str] = field(default_factory=set)
    received: list[str] = field(default_factory=list)

    def see(self, *found: Finding, after: timedelta = timedelta(0)) -> None:
        """Everything is looked at, and this is what is wrong."""
        findings = Findings(self.home)
        places = {each.finding.place for each in findings.open()} | {each.place for each in found}
        findings.observe(found, looked_at=places, at=AT + after)

    def deliver(self, after: timedelta = timedelta(0)) -> list[str]:
        """Occasions of the messages that the log received."""
        sink = AlertSink(self.home / "monitoring", say=self.received.append)
        done = deliver(self.home, sink, KNOWLEDGE, remind_after=DAY, at=AT + after)
        return [each.claim.occasion for each in done if each.claim.channel == "log"]

    def documents(self) -> list[dict[str, object]]:
        """Lines of alerts.jsonl."""
        return [json.loads(line) for line in (self.home / "monitoring" / "alerts.jsonl").read_text().splitlines()]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_alert_when_delivered_again_then_nothing_is_sent_again(place: Place) -> None:
    place.see(failed())
    assert [place.deliver(), place.deliver(), place.deliver(HOUR)] == [["opened"], [], []]
    place.see(failed(), after=HOUR)
    assert place.deliver(HOUR) == []
    assert len(place.received) == len(place.documents()) == 1


def test_alert_when_sent_then_it_says_figure_limit_owner_impact_runbook_and_command(place: Place) -> None:
    place.see(failed())
    place.deliver()
    (document,) = place.documents()
    assert (document["severity"], document["kind"], document["occasion"]) == ("ERROR", "completeness", "opened")
    assert document["title"] == f"night {NIGHT}: {PATH[0]}: amount is null"
    text = (place.home / "monitoring" / "alerts.log").read_text()
    for said in (
        "found 94.2 %, limit 5.00 %",
        "owner: order-data",
        "affected models: churn (Grace)",
        "affected tables: predictions.churn\n",
        "affected published: predictions.churn",
        "affected owners: Grace, order-data, retention",
        "runbook: docs/runbooks/completeness.md",
        f"next: athena load --night {NIGHT} FILES",
    ):
        assert said in text


def test_alert_when_a_warning_becomes_an_error_then_it_is_sent_again_and_not_when_it_gets_better(place: Place) -> None:
    place.see(failed(severity="WARN"))
    assert place.deliver() == ["opened"]
    place.see(failed())
    assert place.deliver() == ["escalated"]
    place.see(failed(severity="WARN"))
    assert place.deliver(HOUR) == []
    place.see(failed())
    assert place.deliver(HOUR) == []


def test_alert_when_a_second_cause_appears_then_it_is_sent_again_once(place: Place) -> None:
    place.see(failed())
    place.deliver()
    place.see(failed(), failed("raw.products"))
    assert [place.deliver(), place.deliver()] == [["escalated"], []]
    assert "(and 1 more)" in place.received[-1]


def test_alert_when_a_cause_goes_and_comes_back_then_it_is_no_news(place: Place) -> None:
    place.see(failed(), failed("raw.products"))
    place.deliver()
    place.see(failed(), after=HOUR)
    assert place.deliver(DAY) == ["reminder"]
    place.see(failed(), failed("raw.products"), after=DAY)
    assert place.deliver(DAY + HOUR) == []


def test_alert_when_it_lasts_then_a_reminder_each_day_until_somebody_takes_it(place: Place) -> None:
    place.see(failed())
    assert [place.deliver(), place.deliver(DAY - HOUR), place.deliver(DAY), place.deliver(DAY + HOUR)] == [
        ["opened"],
        [],
        ["reminder"],
        [],
    ]
    AlertBook(place.home).acknowledge(1, "Ada", AT + DAY)
    assert place.deliver(3 * DAY) == []
    place.see(failed(), failed("raw.products"), after=3 * DAY)
    assert place.deliver(3 * DAY) == ["escalated"]
    assert "taken by: Ada" in (place.home / "monitoring" / "alerts.log").read_text()


def test_alert_when_everything_is_cleared_then_its_end_is_told_once(place: Place) -> None:
    place.see(failed(), failed("raw.products"))
    place.deliver()
    place.see(failed(), after=HOUR)
    assert place.deliver(HOUR) == []
    place.see(after=HOUR)
    assert [place.deliver(HOUR), place.deliver(2 * HOUR)] == [["resolved"], []]
    assert place.documents()[-1]["resolved_at"] == (AT + HOUR).isoformat()


def test_alert_when_the_fault_comes_back_then_it_is_another_alert(place: Place) -> None:
    for after, found in ((0, [failed()]), (1, []), (2, [failed()])):
        place.see(*found, after=after * HOUR)
        place.deliver(after * HOUR)
    assert [(each["id"], each["occasion"]) for each in place.documents()] == [
        (1, "opened"),
        (1, "resolved"),
        (2, "opened"),
    ]


def test_alert_when_opened_and_cleared_between_two_deliveries_then_nobody_is_told(place: Place) -> None:
    place.see(failed())
    open_alerts(place.home, KNOWLEDGE, at=AT)
    place.see()
    assert place.deliver() == []


def test_consequences_when_the_root_is_cleared_first_then_the_alert_stays_and_nothing_new_is_sent(place: Place) -> None:
    place.see(failed(), failed(PATH[3]))
    place.deliver()
    place.see(failed(PATH[3]), after=HOUR)
    assert place.deliver(HOUR) == []
    (alert,) = open_alerts(place.home, KNOWLEDGE, at=AT + HOUR)
    assert [each.finding.asset for each in alert.roots] == [PATH[3]]


def test_alert_when_nothing_can_be_asked_about_the_home_then_it_says_less_and_is_sent(place: Place) -> None:
    def damaged(finding: Finding) -> str:
        raise ManifestDamaged("a manifest cannot be read")

    place.see(failed())
    (log, file) = deliver(
        place.home, AlertSink(place.home / "monitoring"), Knowledge(mend=damaged), remind_after=DAY, at=AT
    )
    assert (log.failure, file.failure) == ("", "")
    assert file.alert.mend == f"athena why {PATH[0]} {NIGHT}"


class BrokenSink(AlertSink):
    """A sink of which the file channel fails."""

    def send(self, channel: str, message: Message) -> None:
        if channel == "file":
            raise AlertNotSent("no", found="the disk is full")
        super().send(channel, message)


def test_channel_when_it_fails_then_the_others_are_told_and_it_is_tried_again(place: Place) -> None:
    place.see(failed())
    broken = BrokenSink(place.home / "monitoring", say=place.received.append)
    for _ in range(2):
        deliver(place.home, broken, KNOWLEDGE, remind_after=DAY, at=AT)
    (missing,) = AlertBook(place.home).undelivered(["log", "file"])
    assert (missing.channel, missing.failures, missing.failure) == ("file", 2, "the disk is full")
    assert AlertBook(place.home).undelivered(["log"]) == [], "nobody waits for a channel that has been given up"
    assert len(place.received) == 1
    place.deliver()
    assert AlertBook(place.home).undelivered(["log", "file"]) == []
    assert [each["occasion"] for each in place.documents()] == ["opened"]


def test_channel_when_it_fails_until_the_alert_is_over_then_it_still_hears_of_it(place: Place) -> None:
    place.see(failed())
    deliver(place.home, BrokenSink(place.home / "monitoring"), KNOWLEDGE, remind_after=DAY, at=AT)
    place.see(after=HOUR)
    place.deliver(HOUR)
    assert [each["occasion"] for each in place.documents()] == ["resolved"]


def test_channel_when_another_process_lacks_it_then_it_is_told_by_the_one_that_has_it(place: Place) -> None:
    place.see(failed())
    book, group = AlertBook(place.home), group_with(KNOWLEDGE)
    for channels, expected in ((["log"], ["log"]), (["log", "slack 1"], ["slack 1"])):
        claims = book.settle(group, channels=channels, remind_after=DAY, at=AT)
        assert [claim.channel for claim in claims] == expected
        for claim in claims:
            book.told(claim, AT)


def test_claim_when_its_process_dies_before_sending_then_another_sends_after_the_lease(place: Place) -> None:
    place.see(failed())
    book, group = AlertBook(place.home), group_with(KNOWLEDGE)
    assert len(book.settle(group, channels=["log"], remind_after=DAY, at=AT)) == 1
    assert book.settle(group, channels=["log"], remind_after=DAY, at=AT + LEASE - timedelta(seconds=1)) == []
    (again,) = book.settle(group, channels=["log"], remind_after=DAY, at=AT + LEASE)
    assert again.occasion == "opened"


def test_claims_when_sending_outlasts_the_lease_then_another_process_takes_over_and_each_is_sent_once(
    place: Place,
) -> None:
    place.see(*(failed(partition=f"2026-10-{day}") for day in range(10, 16)))
    now = [AT]

    def deliver_now(say: Callable[[str], None]) -> None:
        sink = AlertSink(place.home / "monitoring", say=say)
        deliver(place.home, sink, KNOWLEDGE, remind_after=DAY, at=now[0], clock=lambda: now[0])

    def slowly(title: str) -> None:
        place.received.append(title)
        now[0] += LEASE * 0.6
        deliver_now(place.received.append)

    deliver_now(slowly)
    assert len(place.received) == len(set(place.received)) == 6
    assert sorted(str(each["key"]) for each in place.documents()) == [f"night 2026-10-{day}" for day in range(10, 16)]


def _deliver_in_a_process(home: Path) -> None:
    deliver(home, AlertSink(home / "monitoring", say=lambda _: None), KNOWLEDGE_OF_A_PROCESS, remind_after=DAY, at=AT)


KNOWLEDGE_OF_A_PROCESS = Knowledge()


def test_delivery_when_four_processes_do_it_at_once_then_each_alert_is_sent_once(place: Place) -> None:
    place.see(*(failed(partition=f"2026-10-{day}") for day in range(10, 22)))
    # Not a Pool, whose end kills its processes and has been seen to wait for one for ever.
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_deliver_in_a_process, [place.home] * 8))
    assert sorted(str(each["key"]) for each in place.documents()) == [f"night 2026-10-{day}" for day in range(10, 22)]


@pytest.mark.parametrize("prepare", [lambda place: None, lambda place: place.see(failed())])
def test_acknowledging_when_there_is_no_such_alert_then_it_is_refused(
    place: Place, prepare: Callable[[Place], None]
) -> None:
    prepare(place)
    with pytest.raises(InvalidArgument, match="no open alert 7"):
        AlertBook(place.home).acknowledge(7, "Ada", AT)
