"""How plans read for a person."""

from collections.abc import Sequence

from athena_assets.impact import Impact
from athena_assets.planning.contract_change import ContractPlan, TableAhead
from athena_assets.planning.difference import Difference
from athena_assets.planning.nights import NightsPlan
from athena_assets.planning.promotion import PromotionPlan
from athena_assets.planning.refusals import Refusal
from athena_cli.output import console, print_table

MOST_LISTED = 7


def show_nights(plan: NightsPlan) -> None:
    """The plan of a range of nights."""
    span = plan.first if plan.first == plan.last else f"{plan.first} to {plan.last}"
    exist = sum(len(night.exists) for night in plan.nights)
    published = sum(night.published for night in plan.nights)
    _say(f"nights: {len(plan.nights)}, {span}{', with --current' if plan.current else ''}; published: {published}")
    _say(
        f"touched: {plan.partitions} partitions of {len(plan.assets)} assets, {exist} of which exist;"
        f" also {', '.join(plan.also)}"
    )
    print_table(
        "Nights",
        ["night", "exist", "published", "what a run makes of it"],
        [
            [night.night, f"{len(night.exists)}/{len(plan.assets)}", night.published, night.outcome]
            for night in plan.nights
        ],
    )
    differences = [each for night in plan.nights for each in night.differences]
    if differences:
        _table_of(differences)
        _detail(differences[-1])
    if plan.later:
        _say(f"read by later published nights: {_listed(plan.later)}")
        again = " && ".join(f"athena night {night} --current" for night in plan.stale[:MOST_LISTED])
        more = ", and so on" if len(plan.stale) > MOST_LISTED else ""
        _say(f"stale, other deliveries count now: {again}{more}" if plan.stale else "which stay as they are")
    _say(plan.minutes.sentence())
    for sentence in plan.overrides:
        _say(f"relies on an override: {sentence}")
    _verdict(plan.refusals)


def show_contract(plan: ContractPlan, impacts: Sequence[Impact], most: int) -> None:
    """The plan of a contract change."""
    old, new = (each.version if each is not None else "none" for each in (plan.diff.old, plan.diff.new))
    _say(f"{plan.contract} {old} -> {new}")
    if not plan.diff.changes:
        _say("nothing changes: the contract says what the one in force says")
        return
    for change in plan.diff.changes:
        _say(f"  {'breaking' if change.breaking else 'harmless'}  {change.what}")
    for impact in impacts:
        for line in impact.lines():
            _say(f"  affects   {line}")
    for table in plan.tables:
        _show_table(table, most)
    if not plan.tables:
        _say("nothing is stored yet, so nothing can break it")
    if plan.renew:
        _say(f"renews the verdicts: {plan.renew}")
    if plan.unannounced:
        _say(f"refused: not announced: needs {plan.unannounced}")
    failing = {failure.partition for table in plan.tables for failure in table.failures if failure.severity == "ERROR"}
    if failing:
        _say(f"refused: {len(failing)} stored partitions would fail a blocking rule")
    _say("would go through" if plan.goes_through else "would not go through")


def show_promotion(plan: PromotionPlan) -> None:
    """The plan of a promotion."""
    _say(f"{plan.model} version {plan.version} stands in {plan.stage}; trained until {plan.trained_until}")
    if plan.way:
        _say(f"its way: {' -> '.join((plan.stage, *plan.way))}")
    if plan.champion is not None and plan.champion != plan.version:
        _say(f"in production now, and archived by it: version {plan.champion}")
    if plan.champion_trained_until is not None and plan.champion_trained_until > plan.trained_until:
        _say(
            f"older than the champion, which was trained until {plan.champion_trained_until}:"
            " training itself would not promote it"
        )
    if plan.verdicts:
        passed = sum(verdict.passed for verdict in plan.verdicts)
        _say(f"gate: {passed} of {len(plan.verdicts)} verdicts passed, judged on {plan.judged_on}")
    if plan.difference is not None:
        _table_of([plan.difference])
        _detail(plan.difference)
    elif plan.night is None:
        _say("no night is published, so there is nothing to compare with")
    if plan.night is not None:
        _say(f"athena night {plan.night} --current makes that night anew with it: {plan.minutes.sentence()}")
    _verdict(plan.refusals)


def _show_table(table: TableAhead, most: int) -> None:
    looked = f"{table.looked_at} of {table.stored} stored partitions evaluated"
    if table.looked_at == most < table.stored:
        looked += f" (the latest; --nights {table.stored} for all)"
    _say(f"{table.table}: {looked}, {len({each.partition for each in table.failures})} would fail")
    for failure in table.failures[:MOST_LISTED]:
        where = f"{failure.table} {failure.partition}".strip()
        _say(f"  {'refused ' if failure.severity == 'ERROR' else 'alert   '}  {where}: {failure.sentence}")
    if len(table.failures) > MOST_LISTED:
        _say(f"  and {len(table.failures) - MOST_LISTED} more (--json has all)")
    if table.not_evaluated:
        _say(f"  not judged, no history of its own yet: {', '.join(table.not_evaluated)}")
    if table.outdated:
        _say(
            f"  outdated verdicts: {', '.join(table.checks)} of {table.outdated} partitions; {table.minutes.sentence()}"
        )


def _table_of(differences: Sequence[Difference]) -> None:
    print_table(
        "Predictions against the published files",
        [
            "night", "model", "version", "customers", "gone", "new", "other tier", "mean change", "mean |change|",
            "largest", "positive rate",
        ],
        [
            [
                each.night,
                each.model,
                f"{each.published_version} -> {each.planned_version}",
                each.customers,
                len(each.only_published),
                len(each.only_planned),
                each.tier_changes,
                each.mean_change,
                each.mean_absolute_change,
                each.largest_absolute_change,
                f"{each.positive_rate_published:.1%} -> {each.positive_rate_planned:.1%}",
            ]
            for each in differences
        ],
    )  # fmt: skip


def _detail(difference: Difference) -> None:
    columns = list(next(iter(difference.tiers.values())))
    print_table(
        f"Tiers of {difference.night}: published in rows, planned in columns",
        ["tier", *columns],
        [[tier, *(row[column] for column in columns)] for tier, row in difference.tiers.items()],
    )
    if difference.movers:
        print_table(
            f"Top movers of {difference.night}",
            ["customer", "published", "planned", "tier"],
            [
                [mover.customer_id, mover.published, mover.planned, f"{mover.published_tier} -> {mover.planned_tier}"]
                for mover in difference.movers
            ],
        )


def _verdict(refusals: Sequence[Refusal]) -> None:
    for refusal in refusals:
        _say(f"refused: {refusal.where}: {refusal.what}")
        for what, text in (("expected", refusal.expected), ("found", refusal.found), ("next", refusal.next_command)):
            if text is not None:
                _say(f"  {f'{what}:':9} {text}")
    _say("would not go through" if refusals else "would go through")


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_LISTED} more" if len(names) > MOST_LISTED else ""
    return f"{', '.join(names[:MOST_LISTED])}{more}"


def _say(line: str) -> None:
    console.print(line, soft_wrap=True)
