"""Every command with its options; what they do is in the modules beside this one."""

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from hitl.cli import auditing, datasets, debugging, keeping, laboratory, moving, user
from hitl.cli.options import DEFAULT_STORE, Json, Limit, StoreUrl
from hitl.errors import ConfigurationError, HitlError

app = typer.Typer(
    name="hitl",
    help="hitl puts a person where an agent workflow's error would compound.",
    no_args_is_help=True,
    rich_markup_mode=None,  # help without the tenth of a second that Rich takes
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
policy = typer.Typer(help="Escalation policies: when a person is asked.", no_args_is_help=True)
db = typer.Typer(help="The database of a store.", no_args_is_help=True)
audit = typer.Typer(help="The trail of everything that was decided.", no_args_is_help=True)
feedback = typer.Typer(help="Datasets of what people decided.", no_args_is_help=True)
debug = typer.Typer(help="What only tests of an installation need.", no_args_is_help=True)
auditing.register(audit)
keeping.register(db)
datasets.register(feedback)
debugging.register(debug)
moving.register(app)
laboratory.register(policy)
app.add_typer(policy, name="policy")
app.add_typer(db, name="db")
app.add_typer(audit, name="audit")
app.add_typer(feedback, name="feedback")
app.add_typer(debug, name="debug")
app.add_typer(user.commands, name="user")


@app.callback(invoke_without_command=True)
def start(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and end.", is_eager=True)
    ] = False,
) -> None:
    """Ask a person where an agent workflow's error would compound."""
    if version:
        from importlib.metadata import version as installed

        typer.echo(installed("hitl-framework"))
        raise typer.Exit


@app.command()
def demo(
    *,
    headless: Annotated[
        bool, typer.Option("--headless", help="No browser: a simulated reviewer decides.")
    ] = False,
    cheques: Annotated[
        int | None, typer.Option(min=1, help="How many cheques; above 150 images repeat.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Fixes the images and the cheques.")] = 0,
    reviewer_accuracy: Annotated[
        float, typer.Option("--reviewer-accuracy", help="P(reviewer reads a digit right).")
    ] = 1.0,
    budget: Annotated[float, typer.Option(help="Share of the digits to review.")] = 0.10,
    port: Annotated[int, typer.Option(help="Where the pages are; 0 takes a free port.")] = 8700,
    json: Json = False,
) -> None:
    """Watch three agents work a cheque desk, alone and with you."""
    from hitl.cli import demo as command

    if headless or json:
        command.headless(
            cheques=cheques,
            seed=seed,
            reviewer_accuracy=reviewer_accuracy,
            budget=budget,
            as_json=json,
        )
    else:
        command.live(cheques=cheques, seed=seed, budget=budget, port=port)


@app.command()
def serve(
    context: typer.Context,
    *,
    target: Annotated[
        str | None,
        typer.Option(
            "--app",
            envvar="HITL_APP",
            metavar="MODULE:NAME",
            help="A wrapped workflow, or a function returning one.",
        ),
    ] = None,
    store: StoreUrl = DEFAULT_STORE,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free port.")] = 8700,
    reviewer: Annotated[str, typer.Option(help="The name decisions on the pages carry.")] = "you",
) -> None:
    """Serve the queue on 127.0.0.1; with --app, parked runs go on by themselves."""
    from hitl.cli import serve as command

    if target is None:
        command.serve_store(store, port=port, reviewer=reviewer)
        return
    given = context.get_parameter_source("store")
    if given is not None and given.name == "COMMANDLINE":
        raise typer.BadParameter(
            "--app brings its own store, the one it was wrapped with; leave --store out."
        )
    command.serve_app(target, port=port, reviewer=reviewer)


@app.command()
def runs(
    *,
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN]", help="One run's story.")] = None,
    store: StoreUrl = DEFAULT_STORE,
    workflow: Annotated[str | None, typer.Option(help="Only runs of this workflow.")] = None,
    status: Annotated[
        list[str] | None, typer.Option(help="Only runs with this status; may be repeated.")
    ] = None,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List runs, newest first, or tell what happened in one."""
    from hitl.cli import runs as command

    if run_id is not None:
        command.show(store, run_id, as_json=json)
    else:
        command.list_all(store, workflow=workflow, status=status or [], limit=limit, as_json=json)


@app.command()
def reviews(
    *,
    review_id: Annotated[
        str | None, typer.Argument(metavar="[REVIEW]", help="One review in full.")
    ] = None,
    store: StoreUrl = DEFAULT_STORE,
    workflow: Annotated[str | None, typer.Option(help="Only reviews of this workflow.")] = None,
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Only reviews of this run.")
    ] = None,
    status: Annotated[
        list[str] | None,
        typer.Option(help="Only with this status; may be repeated. Default: pending."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="With any status.")] = False,
    limit: Limit = 50,
    json: Json = False,
) -> None:
    """List reviews that wait, those due first, or show one in full."""
    from hitl.cli import reviews as command

    if review_id is not None:
        command.show(store, review_id, as_json=json)
        return
    wanted = [] if every else (status or ["pending"])
    command.list_all(
        store, workflow=workflow, run_id=run_id, status=wanted, limit=limit, as_json=json
    )


@app.command()
def shadow(
    *,
    store: StoreUrl = DEFAULT_STORE,
    workflow: Annotated[str | None, typer.Option(help="Only this workflow.")] = None,
    json: Json = False,
) -> None:
    """Tell what would have been asked while a workflow ran in shadow mode."""
    from hitl.cli import shadow as command

    command.report(store, workflow=workflow, as_json=json)


@app.command()
def questions(
    *,
    store: StoreUrl = DEFAULT_STORE,
    workflow: Annotated[str | None, typer.Option(help="Only this workflow.")] = None,
    json: Json = False,
) -> None:
    """Tell what steps asked with `hitl.ask`, and how much of it was not worth a person."""
    from hitl.cli import questions as command

    command.report(store, workflow=workflow, as_json=json)


@app.command()
def decide(
    *,
    review_id: Annotated[str, typer.Argument(metavar="REVIEW")],
    verdict: Annotated[Literal["approve", "deny"], typer.Argument(metavar="approve|deny")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who decides.")],
    reason: Annotated[
        list[str] | None, typer.Option(help="A short reason; may be repeated.")
    ] = None,
    note: Annotated[str, typer.Option(help="Free text.")] = "",
    remedy: Annotated[
        str | None, typer.Option(help="What follows a deny; default: the first offer.")
    ] = None,
    answer: Annotated[
        str | None, typer.Option(metavar="JSON|@FILE", help="Your own answer or work, as JSON.")
    ] = None,
    proposal_hash: Annotated[
        str | None, typer.Option("--hash", metavar="H", help="The hash of what you were shown.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Decide on what is shown, without asking.")
    ] = False,
    store: StoreUrl = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Say yes or no to a proposal; without --hash it is shown first."""
    from hitl.cli import decide as command

    said = command.Said(
        verdict=verdict,
        by=by,
        reasons=tuple(reason or ()),
        note=note,
        remedy=remedy,
        answer=command.read_answer(answer),
    )
    command.decide(store, review_id, said, proposal_hash=proposal_hash, sure=yes, as_json=json)


@app.command()
def stop(
    *,
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN]", show_default=False)] = None,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who stops it.")],
    workflow: Annotated[str | None, typer.Option(help="Every live run of this workflow.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every live run of the store.")] = False,
    reason: Annotated[str, typer.Option(help="Why; kept with the run.")] = "",
    store: StoreUrl = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Stop a run, or many: at once, or at the next step of those being advanced."""
    from hitl.cli import runs as command

    if [run_id is not None, workflow is not None, every].count(True) != 1:
        raise typer.BadParameter("Name one: hitl stop RUN, --workflow NAME, or --all.")
    if run_id is not None:
        command.stop(store, run_id, by=by, reason=reason, as_json=json)
    else:
        command.stop_many(store, workflow=workflow, by=by, reason=reason, as_json=json)


@app.command()
def resume(
    *,
    run_id: Annotated[str, typer.Argument(metavar="RUN")],
    by: Annotated[str, typer.Option(metavar="NAME", help="Who lets it go on.")],
    store: StoreUrl = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Let a run go on that `hitl stop` stopped."""
    from hitl.cli import runs as command

    command.resume(store, run_id, by=by, as_json=json)


@policy.command("show")
def policy_show(
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A policy in YAML.")],
    json: Json = False,
) -> None:
    """Print a policy as hitl understands it, defaults written out, with its hash."""
    from hitl.cli import policies

    policies.show(file, as_json=json)


@policy.command("init")
def policy_init(
    *,
    target: Annotated[str, typer.Argument(metavar="MODULE:NAME", help="A graph, or a workflow.")],
) -> None:
    """Draft a policy for a graph: its effects asked about, its other steps named."""
    from hitl.cli import policies

    policies.draft(target)


@app.command()
def doctor(*, store: StoreUrl = DEFAULT_STORE, json: Json = False) -> None:
    """Look at this installation and its store; exit code 1 when something does not work."""
    from hitl.cli import doctor as command

    command.examine(store, as_json=json)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code: 0 done, 1 refused, 2 not understood."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    try:
        app(list(arguments))
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except HitlError as refusal:
        return _say(str(refusal), code=2 if isinstance(refusal, ConfigurationError) else 1)
    except Exception as surprise:
        if os.environ.get("HITL_DEBUG"):
            raise
        told = f"{type(surprise).__name__}: {surprise}"
        return _say(f"This should not happen ({told}). HITL_DEBUG=1 shows where it did.", code=1)
    return 0


def _say(sentence: str, *, code: int) -> int:
    from hitl.cli.terminal import visible

    typer.echo(visible(sentence, keep="\n"), err=True)
    return code


def main() -> None:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))
