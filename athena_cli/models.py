"""`athena models`: which models there are, which one is in production, and how it was trained."""

from collections.abc import Sequence
from typing import Annotated

import typer

from athena_cli.clock import retailers_now
from athena_cli.output import console, print_json, print_table
from athena_cli.workplace import Workplace, here
from resources.findings import Findings
from resources.registry import RegisteredModel, Stage


def models(
    model: Annotated[str | None, typer.Argument(help="Show one model's versions and its history.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Answer: what models do we have, which one is in production, how was it trained?"""
    workplace = here()
    registry = workplace.registry
    names = (
        [model]
        if model is not None
        else sorted({spec.name for spec in workplace.athena.models} | set(registry.models()))
    )
    known = set(registry.models())
    versions = {name: registry.versions(name) if name in known or model is not None else [] for name in names}
    if as_json:
        print_json({name: [_as_json(version) for version in found] for name, found in versions.items()})
        return
    rows = [
        [
            name,
            each.version,
            str(each.stage),
            each.metrics.get("auc"),
            _snapshots(each),
            f"{each.registered_at:%Y-%m-%d %H:%M}",
        ]
        for name, found in versions.items()
        for each in found
    ]
    rows += [[name, None, "no version yet", None, None, None] for name, found in versions.items() if not found]
    print_table("Models", ["model", "version", "stage", "AUC out of time", "trained on", "registered, UTC"], rows)
    for found in versions.values():
        for each in found:
            if each.stage is Stage.PRODUCTION:
                _print_champion(each)
    _print_published(workplace, names)
    if model is not None:
        history = [
            [change.sequence, change.version, f"{change.from_stage} -> {change.to_stage}", change.actor, change.reason]
            for change in registry.history(model)
        ]
        print_table("History", ["entry", "version", "change", "by", "why"], history)


def _print_published(workplace: Workplace, names: Sequence[str]) -> None:
    """What the readers of each model have in their hands, how old it is, and since when it is stale."""
    from athena_assets.predictions.status import status_of

    now, open_findings = retailers_now(workplace.source.timezone), Findings(workplace.settings.home).open()
    for name in names:
        status = status_of(workplace.settings.published, name, open_findings)
        console.print(f"published: {status.sentence(now)}", soft_wrap=True)


def _print_champion(champion: RegisteredModel) -> None:
    manifest = champion.manifest
    baselines = ", ".join(f"{name} {value:.3f}" for name, value in sorted(manifest["baselines"].items()))
    console.print(
        f"in production: {champion.name} version {champion.version}\n"
        f"  judged on {manifest['judged_on']}: "
        + ", ".join(f"{name} {value:.3f}" for name, value in sorted(champion.metrics.items()))
        + f"\n  AUC of the baselines: {baselines}"
        f"\n  trained on {_snapshots(champion)}"
        f"\n  {len(manifest['features'])} features, version {manifest['feature_version']}"
        f"\n  data {manifest['data_sha256'][:12]}, code {manifest['code_version']}, run {champion.run_id}"
        f"\n  parameters {dict(champion.params)}"
        f"\n  artifact {champion.path}",
        soft_wrap=True,
    )


def _snapshots(version: RegisteredModel) -> str:
    days = version.manifest["training_snapshots"]
    return f"{len(days)} snapshots, {days[0]} to {days[-1]}"


def _as_json(version: RegisteredModel) -> dict[str, object]:
    return {
        "version": version.version,
        "stage": str(version.stage),
        "registered_at": version.registered_at,
        "metrics": dict(version.metrics),
        "parameters": dict(version.params),
        "manifest": dict(version.manifest),
        "artifact": version.path,
        "run_id": version.run_id,
    }
