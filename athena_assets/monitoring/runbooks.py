"""Which kind of alert a finding makes, and the page that says what to do about it: one page for each kind."""

import checks.rules
from resources.findings import Finding

FOLDER = "docs/runbooks"

GROUPS = (*checks.rules.GROUPS, "delivered")
"""Kinds that are the groups of a contract's rules, and the account's own check."""

MODEL_GATE = "model-gate"
MODEL_CHECKS = ("performance", "baselines", "calibration", "slices", "deployment")
"""The checks of a model's evaluation; they share one page, because one person decides on all of them."""

WARNING_RULES = {"psi": "drift", "positive_rate": "positive-rate", "stale": "stale-publication"}
"""Warnings with a page of their own, by a word of the rule's id."""

WARNING_GROUPS = {"completeness": "null-rate"}
"""Other warnings with a page of their own, by their group."""

ERRORS = {
    "renamed-column": ("ColumnsDiffer",),
    "delivery-refused": (
        "AlreadyDelivered",
        "ClockBehind",
        "ColumnUnreadable",
        "DeliveryChanged",
        "EncodingUnclear",
        "LandingFailed",
        "ManifestDamaged",
        "MappingInvalid",
        "SourceError",
        "TooManyUnparseable",
        "UnknownSource",
        "UnreadableFile",
    ),
    "missing-delivery": ("HistoryNotLanded", "NightNotDelivered", "NightsMissing", "NothingCleaned", "UnknownDelivery"),
    "warehouse-locked": ("EventLogBusy", "RegistryBusy", "UsageBusy", "WarehouseLocked"),
    "warehouse-damaged": ("MissingTable", "NightsDamaged", "TableDiffers", "WarehouseCorrupt", "WarehouseMissing"),
    "command-killed": ("CommandKilled",),
    "stale-publication": ("PublicationLost", "PublicationOutdated"),
    "machine-too-small": ("WarehouseTooSmall",),
    "disk-full": ("DiskFull",),
    "records-damaged": ("HomeBroken", "HomeParked", "NoHome", "OutboxUnavailable", "RecordsBroken", "UsageUnavailable"),
    "model-damaged": (
        "ArtifactTampered",
        "InvalidArtifact",
        "InvalidRegistration",
        "InvalidTransition",
        "LedgerBroken",
        "NoChampion",
        "PortableModelDiffers",
        "RegistryOutOfStep",
        "UnknownVersion",
    ),
    MODEL_GATE: ("NotJudged",),
    "gate-refused": ("NoVerdicts", "UpstreamChanged", "UpstreamUnverified", "WrittenBeforeGate"),
    "pins-differ": ("FeaturesChanged", "NightNotOpened", "PinMismatch"),
    "bill-wrong": (
        "ChargedTwice",
        "DeclaredTwice",
        "InvalidAmount",
        "InvalidCharge",
        "MixedCurrencies",
        "NotConserved",
        "NothingCharged",
        "NothingToSplitBy",
        "PriceMissing",
        "PricesOverlap",
        "UsageExceedsRun",
        "WrongPeriod",
    ),
}
"""Kinds of named errors; a class that is not here is `STEP_FAILED`."""

STEP_FAILED = "step-failed"

_KIND_OF_ERROR = {name: kind for kind, names in ERRORS.items() for name in names}

KINDS = tuple(sorted({*GROUPS, MODEL_GATE, STEP_FAILED, *ERRORS, *WARNING_RULES.values(), *WARNING_GROUPS.values()}))
"""Every kind of alert."""


STATES_OF_A_GAP = ("missing", "outdated", "unwritten", "overtaken")
"""Ends of the rules of what no check has refused and the gate does not let be read."""


def is_of_gap(finding: Finding) -> bool:
    """Whether a finding is about what no check has refused, for which no person can answer either."""
    return finding.rule in [f"{finding.check}.{state}" for state in STATES_OF_A_GAP]


def kind_of(finding: Finding) -> str:
    """The kind of alert that a finding makes: the name of its runbook."""
    if finding.kind == "error":
        return _KIND_OF_ERROR.get(finding.rule, STEP_FAILED)
    if is_of_gap(finding):
        return _KIND_OF_ERROR["UpstreamUnverified"]
    group = finding.check.removesuffix("_warnings")
    if finding.severity == "WARN":
        for word, kind in WARNING_RULES.items():
            if word in finding.rule:
                return kind
        group = WARNING_GROUPS.get(group, group)
    if group in MODEL_CHECKS:
        return MODEL_GATE
    return group if group in KINDS else STEP_FAILED


def runbook_of(kind: str) -> str:
    """The page of a kind of alert, from the top of the checkout."""
    return f"{FOLDER}/{kind}.md"
