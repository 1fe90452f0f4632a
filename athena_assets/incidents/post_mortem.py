"""The post-mortem of the replayed incident, drafted from its record.

Every figure and every moment comes from the record. What no record can know (who decided the rename, why nobody was
told) is named as missing and left to the person who signs.
"""

from collections.abc import Sequence
from datetime import datetime

from athena_assets.incidents.record import Incident
from athena_assets.incidents.side_by_side import age, morning, percent


def post_mortem(incident: Incident) -> str:
    """The draft as Markdown."""
    refusal, alias = incident.refusal, incident.recovery.alias
    sections = [
        f"# Post-mortem: the order system renamed `{alias.declared}`, night {refusal.night}",
        "Drafted from recorded facts: manifests, findings, alerts, check history, accepted aliases, published files."
        " The retailer is simulated and so is its clock, called the retailer's below; every other moment is this"
        " machine's, in UTC.",
        _section("What happened", _what(incident)),
        _section("When", [_table(["when", "what"], _when(incident))]),
        _section("Detection", _detection(incident)),
        _section("Impact", _impact(incident)),
        _section("Cause", _cause(incident)),
        _section("Prevention", _prevention(incident)),
        _section("Not in any record", _unknown()),
    ]
    return "\n\n".join(sections) + "\n"


def _section(title: str, paragraphs: Sequence[str]) -> str:
    return "\n\n".join([f"## {title}", *paragraphs])


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _what(incident: Incident) -> list[str]:
    refusal, alias = incident.refusal, incident.recovery.alias
    return [
        f"The full extract of night {refusal.night} called the column `{alias.declared}` of `{alias.table}`"
        f" `{alias.alias}`. Athena refused the extract before a row of it was landed and computed nothing from it; the"
        f" predictions of night {incident.during.night} stayed published. {alias.by.capitalize()} accepted the new"
        " name, the same extract was loaded again, and the night ran.",
    ]


def _when(incident: Incident) -> list[tuple[str, str]]:
    refusal, recovery = incident.refusal, incident.recovery
    (mended,) = [each for each in incident.deliveries if each.last_night == refusal.night]
    before = max((each for each in incident.deliveries if each is not mended), key=lambda each: each.last_night)
    rows = [
        (_theirs(before.registered_at), f"last good extract registered, `{before.delivery_id}`"),
        (_theirs(refusal.arrived_at), f"renamed extract arrives and is refused: `{refusal.error}`"),
    ]
    rows.append((_ours(refusal.recorded_at), "finding recorded"))
    rows += [(_ours(alert.at), f"alert sent: {alert.title}") for alert in refusal.alerts]
    rows += [
        (_theirs(morning(incident.refusal.arrived_at)), f"night {incident.during.night} is what readers have"),
        (_ours(recovery.alias.accepted_at), f"alias accepted by {recovery.alias.by}"),
        (f"{recovery.seconds:.1f} s later", f"`{mended.delivery_id}` registered, night {refusal.night} published"),
    ]
    return rows


def _theirs(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M}, retailer's clock"


def _ours(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _detection(incident: Incident) -> list[str]:
    refusal = incident.refusal
    return [
        f"At the door, by the declared columns: {refusal.seconds:.2f} s after the load of the extract began, alert"
        f" included, at {refusal.arrived_at:%H:%M} by the retailer's clock and before the night's own hour. Running the"
        f" night said: {refusal.night_said}. Alerts: {len(refusal.alerts)}. What `athena why` showed at"
        f" {morning(refusal.arrived_at):%H:%M}:",
        f"```text\n{refusal.why}\n```",
    ]


def _impact(incident: Incident) -> list[str]:
    naive, during, after = incident.naive, incident.during, incident.recovery.published
    read_at = morning(incident.refusal.arrived_at)
    affected = incident.downstream
    return [
        f"Readers saw no wrong prediction. Until the night was mended they had night {during.night}, whose predictions"
        f" were {age(during, read_at)} old in the morning instead of {age(after, read_at)}:"
        f" {during.customers:,} customers, {percent(during.positive_rate)} of them predicted to churn.",
        "What it would have been: a pipeline that reads the same extract and takes the missing column as null published"
        f" {naive.customers:,} predictions.",
        f"- {len(naive.turned_null)} features went from {percent(naive.null_rate_before)} to"
        f" {percent(naive.null_rate_after)} null, {len(naive.turned_zero)} silently became 0.\n"
        f"- Customers predicted to churn: {percent(naive.positive_rate_before)} to {percent(naive.positive_rate_after)}"
        f" ({naive.positive_points:+.1f} points); the mended night has {percent(after.positive_rate)}."
        f" PSI {naive.psi:.2f}.\n"
        f"- The value at risk, by which the retention team is told whom to call: {naive.value_at_risk_before:,} to"
        f" {naive.value_at_risk_after:,}; the mended night has {after.value_at_risk:,}.",
        f"On the last good night that pipeline and Athena agreed on {incident.identical:,} of"
        f" {incident.before.customers:,} predictions, so the difference is the missing protection alone.",
        "In the path of the column:",
        _table(
            ["", "which"],
            [
                ["features", _listed([each.name for each in affected.features])],
                ["models", _listed([each.name for each in affected.models])],
                ["tables", _listed([each.address for each in affected.tables])],
                ["published", _listed(affected.published)],
                ["owners", ", ".join(affected.owners)],
            ],
        ),
    ]


def _cause(incident: Incident) -> list[str]:
    alias = incident.recovery.alias
    return [
        f"The order system delivers `{alias.alias}` where the contract of `{alias.table}` {alias.version_before} says"
        f" `{alias.declared}`. No notice of the change was recorded. The reason given with the acceptance:"
        f" {alias.reason}.",
    ]


def _prevention(incident: Incident) -> list[str]:
    recovery = incident.recovery
    alias = recovery.alias
    return [
        "Done, as the refusal said:",
        "\n".join(["```text", *recovery.commands, "```"]),
        f"Both names are valid in this home, contract {alias.version_before} -> {alias.version}. The night then ran:"
        f" {recovery.rules_evaluated:,} rules evaluated, {recovery.rules_failed} failed;"
        f" {recovery.earlier_rows_changed} rows of earlier nights told otherwise than they were landed;"
        f" {recovery.open_findings} findings open.",
        "To agree with the owner of the order system: notice before a release, and `athena contracts diff` in their"
        " pipeline, which says what a release breaks before it delivers.",
    ]


def _unknown() -> list[str]:
    return [
        "Who decided the rename and when, why no notice was given, and whether other consumers of the order system were"
        " hit: the person who signs this adds it.",
    ]


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"
