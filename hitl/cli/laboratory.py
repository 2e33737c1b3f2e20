"""The laboratory's commands with their options; what they do is in `hitl.cli.lab`."""

from typing import Annotated, Literal

import typer

from hitl.cli.options import DEFAULT_STORE, Json

Store = Annotated[
    str, typer.Option("--store", envvar="HITL_STORE", metavar="URL", help="Read this store's log.")
]
Log = Annotated[
    str | None,
    typer.Option(
        "--log", metavar="FILE", help="Read a .jsonl or .parquet log (or a folder of them)."
    ),
]
Workflow = Annotated[str | None, typer.Option(help="Only this workflow.")]
Version = Annotated[
    str | None,
    typer.Option(
        "--policy-hash", metavar="HASH", help="Only this policy; the hash's start will do."
    ),
]
NotWrong = Annotated[
    list[str] | None,
    typer.Option(
        "--not-wrong", metavar="REASON", help="A reason that does not mean wrong; repeatable."
    ),
]
Alpha = Annotated[
    float,
    typer.Option("--error-at-most", metavar="SHARE", help="Tolerated share of silent errors."),
]
Sure = Annotated[float, typer.Option("--sure", metavar="SHARE", help="How sure to be of it.")]
ReviewMinutes = Annotated[
    float | None,
    typer.Option("--review-minutes", metavar="M", help="Minutes per review, where none was timed."),
]

CHECK = """Tell whether a policy can be used; exit code 1 when it cannot.

With --log also: whether its thresholds are still proven on that log, and whether it is worse than the
policy that made the log; exit code 1 when one is not, or it is. For CI.

Examples:

  hitl policy check policy.yaml --app module:graph

  hitl policy check --policy policy.yaml --log june.parquet --junit policy.xml
"""
EVALUATE = """Tell how often silent errors pass, and whether the right things are asked.

Examples:

  hitl policy evaluate --store sqlite:///payments.db

  hitl policy evaluate --log june.parquet --by day --json

  hitl policy evaluate --html report.html --review-minutes 1.5
"""
CERTIFY = """Find the laxest threshold that is proven to keep errors low, or say that none is.

Examples:

  hitl policy certify --error-at-most 0.02 --sure 0.95

  hitl policy certify --step read_amount --caught 24 --shown 30
"""
COMPARE = """Replay a candidate policy on the log: which decisions would change, most costly first.

Example:

  hitl policy compare --candidate stricter.yaml --silent-cost 40
"""
PLAN = """Plan where checkpoints pay, from measured accuracies, costs and minutes.

Without a price or a budget: the cheapest plan that has the end reviewed.

Examples:

  hitl policy plan --review-minutes 2 --silent-cost 120

  hitl policy plan --budget 6 --out planned.yaml

  hitl policy plan --accuracy pay=0.999 --minutes read=0.5
"""
EXPORT = """Write the gate log to a file: .jsonl, or .parquet with the lab extra.

Example:

  hitl policy export june.parquet --store sqlite:///payments.db
"""


def register(policy: typer.Typer) -> None:
    """Add the laboratory's commands to `hitl policy`."""
    policy.command("check", help=CHECK)(check)
    policy.command("evaluate", help=EVALUATE)(evaluate)
    policy.command("certify", help=CERTIFY)(certify)
    policy.command("compare", help=COMPARE)(compare)
    policy.command("plan", help=PLAN)(plan)
    policy.command("export", help=EXPORT)(export)


def check(
    *,
    file: Annotated[
        str | None, typer.Argument(metavar="[FILE]", help="A policy in YAML.", show_default=False)
    ] = None,
    named: Annotated[
        str | None, typer.Option("--policy", metavar="FILE", help="The same, as an option.")
    ] = None,
    target: Annotated[
        str | None,
        typer.Option("--app", metavar="MODULE:NAME", help="Check its steps against this graph."),
    ] = None,
    matches: Annotated[
        bool, typer.Option("--matches", help="List what each checkpoint stands at; needs --app.")
    ] = False,
    log: Annotated[
        str | None,
        typer.Option("--log", metavar="FILE", help="Check its thresholds on this gate log, too."),
    ] = None,
    error_at_most: Alpha = 0.05,
    sure: Sure = 0.95,
    silent_cost: Annotated[
        float, typer.Option("--silent-cost", min=0.0, help="What a silent error costs, in reviews.")
    ] = 10.0,
    junit: Annotated[
        str | None, typer.Option("--junit", metavar="FILE", help="Write JUnit XML, with --log.")
    ] = None,
    markdown: Annotated[
        str | None, typer.Option("--markdown", metavar="FILE", help="Write Markdown, with --log.")
    ] = None,
    json: Json = False,
) -> None:
    """See `CHECK`."""
    if (file is None) == (named is None):
        raise typer.BadParameter("Name one policy: hitl policy check FILE, or --policy FILE.")
    chosen = file or named or ""
    if log is None:
        from hitl.cli import policies

        if junit is not None or markdown is not None:
            raise typer.BadParameter("--junit and --markdown report on a log; give it with --log.")
        policies.check(chosen, target=target, as_json=json, matches=matches)
        return
    from hitl.cli import lab_check

    if target is not None or matches:
        raise typer.BadParameter("--app and --matches are about a graph; check the log by itself.")
    lab_check.check(
        chosen,
        log,
        alpha=error_at_most,
        sure=sure,
        silent_cost=silent_cost,
        junit=junit,
        markdown=markdown,
        as_json=json,
    )


def evaluate(
    *,
    store: Store = DEFAULT_STORE,
    log: Log = None,
    workflow: Workflow = None,
    policy_hash: Version = None,
    not_wrong: NotWrong = None,
    by: Annotated[
        Literal["step", "policy", "workflow", "day"], typer.Option(help="What the slices are.")
    ] = "step",
    error_at_most: Alpha = 0.05,
    sure: Sure = 0.95,
    review_minutes: ReviewMinutes = None,
    html: Annotated[
        str | None, typer.Option("--html", metavar="FILE", help="Write a page with charts, too.")
    ] = None,
    json: Json = False,
) -> None:
    """See `EVALUATE`."""
    from hitl.cli import lab

    source = lab.Source(store, log, workflow, policy_hash, tuple(not_wrong or ()))
    lab.evaluate(
        source,
        by=by,
        alpha=error_at_most,
        sure=sure,
        review_minutes=review_minutes,
        html=html,
        as_json=json,
    )


def certify(
    *,
    store: Store = DEFAULT_STORE,
    log: Log = None,
    workflow: Workflow = None,
    policy_hash: Version = None,
    not_wrong: NotWrong = None,
    step: Annotated[str | None, typer.Option(help="Only this step.")] = None,
    error_at_most: Alpha = 0.05,
    sure: Sure = 0.95,
    sensitivity: Annotated[
        float | None,
        typer.Option(help="Least share of wrong steps reviewers catch, known beforehand."),
    ] = None,
    caught: Annotated[int, typer.Option(min=0, help="Known-wrong items reviewers denied.")] = 0,
    shown: Annotated[int, typer.Option(min=0, help="Known-wrong items they were shown.")] = 0,
    json: Json = False,
) -> None:
    """See `CERTIFY`."""
    from hitl.cli import lab

    source = lab.Source(store, log, workflow, policy_hash, tuple(not_wrong or ()))
    lab.certify(
        source,
        step=step,
        alpha=error_at_most,
        sure=sure,
        sensitivity=sensitivity,
        caught=caught,
        shown=shown,
        as_json=json,
    )


def compare(
    *,
    candidate: Annotated[
        str, typer.Option("--candidate", metavar="FILE", help="The candidate, in YAML.")
    ],
    store: Store = DEFAULT_STORE,
    log: Log = None,
    workflow: Workflow = None,
    policy_hash: Version = None,
    not_wrong: NotWrong = None,
    silent_cost: Annotated[
        float, typer.Option("--silent-cost", min=0.0, help="What a silent error costs, in reviews.")
    ] = 10.0,
    error_at_most: Alpha = 0.05,
    sure: Sure = 0.95,
    limit: Annotated[int, typer.Option("--limit", min=0, help="Changes to list.")] = 20,
    json: Json = False,
) -> None:
    """See `COMPARE`."""
    from hitl.cli import lab, lab_plans

    source = lab.Source(store, log, workflow, policy_hash, tuple(not_wrong or ()))
    lab_plans.compare_log(
        source,
        candidate,
        silent_cost=silent_cost,
        alpha=error_at_most,
        sure=sure,
        limit=limit,
        as_json=json,
    )


def plan(
    *,
    store: Store = DEFAULT_STORE,
    log: Log = None,
    workflow: Workflow = None,
    policy_hash: Version = None,
    not_wrong: NotWrong = None,
    review_minutes: ReviewMinutes = None,
    silent_cost: Annotated[
        float | None,
        typer.Option("--silent-cost", min=0.0, help="Minutes a wrong final result costs."),
    ] = None,
    budget: Annotated[
        float | None, typer.Option("--budget", min=0.0, help="Review minutes per run at most.")
    ] = None,
    sensitivity: Annotated[
        float, typer.Option(help="Share of wrong steps that reviewers deny.")
    ] = 1.0,
    specificity: Annotated[
        float, typer.Option(help="Share of right steps that they approve.")
    ] = 1.0,
    accuracy: Annotated[
        list[str] | None, typer.Option(metavar="STEP=P", help="How right a step is; repeatable.")
    ] = None,
    minutes: Annotated[
        list[str] | None, typer.Option(metavar="STEP=M", help="Minutes of a step; repeatable.")
    ] = None,
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Write the policy here, too.")
    ] = None,
    json: Json = False,
) -> None:
    """See `PLAN`."""
    from hitl.cli import lab, lab_plans

    source = lab.Source(store, log, workflow, policy_hash, tuple(not_wrong or ()))
    lab_plans.plan(
        source,
        review_minutes=review_minutes,
        silent_cost=silent_cost,
        budget=budget,
        rates=(sensitivity, specificity),
        accuracy=accuracy or [],
        minutes=minutes or [],
        out=out,
        as_json=json,
    )


def export(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; .jsonl or .parquet.")],
    store: Store = DEFAULT_STORE,
    log: Log = None,
    workflow: Workflow = None,
    policy_hash: Version = None,
    not_wrong: NotWrong = None,
) -> None:
    """See `EXPORT`."""
    from hitl.cli import lab

    source = lab.Source(store, log, workflow, policy_hash, tuple(not_wrong or ()))
    lab.export(source, file)
