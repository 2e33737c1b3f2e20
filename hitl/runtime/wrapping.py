"""From a graph and a policy to a workflow."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from hitl.errors import ConfigurationError
from hitl.graph.accuracy import Accuracy
from hitl.graph.foreseen import task_types
from hitl.graph.leases import owner
from hitl.graph.lg import serde_allowlist
from hitl.graph.pinned import remember_shape
from hitl.graph.seam import compiled
from hitl.graph.session import Wiring
from hitl.graph.shapes import shapes
from hitl.graph.strict import StrictSerializer
from hitl.graph.versions import shape, version_of
from hitl.policy import EscalationPolicy
from hitl.ports import Clock, Store
from hitl.reviews import put_in_force, utcnow
from hitl.runtime.defaults import default_note, default_policy
from hitl.runtime.workflow import Workflow
from hitl.stores import borrow, give_back

DEFAULT_STORE = "sqlite:///hitl.db"
VARIABLE = "HITL_DATABASE_URL"
"""The environment's word on where the store is."""
Mode = Literal["gates", "shadow"]
"""Whether gates withhold, or only log what they would have asked."""
Wrappable = StateGraph[Any, Any, Any, Any] | Pregel[Any, Any, Any, Any]
"""What can be wrapped; a compiled graph, an agent and an `@entrypoint` are each a `Pregel`."""
_SHADOW = "Shadow mode: nothing is withheld and nobody is asked; see `shadow_report()`."


def wrap(
    graph: Wrappable,
    policy: EscalationPolicy | None = None,
    *,
    mode: Mode = "gates",
    store: str | Store | None = None,
    name: str | None = None,
    calibrators: Mapping[str, Callable[[float], float]] | None = None,
    allow_types: Sequence[type] = (),
    context: Any = None,
    clock: Clock = utcnow,
) -> Workflow:
    """Return `graph` as a workflow with a gate in every step.

    The graph object is not changed. Its checkpoints, reviews and trail are kept in `store`.

    Args:
        graph: A `StateGraph`, a compiled graph, an agent of `create_agent`, or an `@entrypoint`;
            without a checkpointer of its own.
        policy: When to ask. None: before steps and tools with `metadata={"effect": True}` or the
            tag "effect", and 2 % spot checks.
        mode: `"shadow"` withholds nothing and asks nobody: the graph behaves as without hitl, and
            `shadow_report()` tells who would have been asked. Reviews from before still wait.
        store: A store, or its URL; `sqlite:///file.db`, `sqlite://` for memory, or
            `postgresql://user@host/name`. None: what the environment's HITL_DATABASE_URL names, else
            `sqlite:///hitl.db`.
        name: The workflow's name; the graph's own when None, and "workflow" when it has none.
        calibrators: By step path: a function from reported confidence to P(right). Its `name` and
            `cutoff` attributes are logged when it has them.
        allow_types: Types in the state besides those its schemas name. A stored row that names any
            other is refused: nothing of it is built, and its run needs attention.
        context: LangGraph's static context for advances that no caller starts.
        clock: Returns the time now, aware, UTC.

    Raises:
        ConfigurationError: The graph, the policy, the mode or the store cannot be used; nothing was
            written.
    """
    if mode not in get_args(Mode):
        raise ConfigurationError(f"There is no mode {mode!r}; choose 'gates' or 'shadow'.")
    base = compiled(graph)
    seen = shapes(base)
    steps = [step.path for step in seen]
    rules = (policy or default_policy(seen)).on(seen)
    rules.check(seen)
    for checkpoint in calibrators or {}:
        if checkpoint not in steps:
            raise ConfigurationError(
                f"A calibrator names step {checkpoint!r}; the graph has {', '.join(map(repr, sorted(steps)))}."
            )
    title = name or _name_of(base)
    told = () if policy else (default_note(seen),)
    used, end = _store(store, clock)
    wiring = _wiring(base, rules, used, clock, title, calibrators or {}, allow_types)
    if mode == "shadow":
        wiring, told = replace(wiring, shadow=True), (*told, _SHADOW)
    return Workflow(base, wiring, context=context, give_back=end, notes=told)


def _store(store: str | Store | None, clock: Clock) -> tuple[Store, Callable[[], None]]:
    """Return the store, and what lets go of it."""
    if store is not None and not isinstance(store, str):
        return store, store.close
    opened = borrow(store or os.environ.get(VARIABLE) or DEFAULT_STORE, clock=clock)
    return opened, lambda: give_back(opened)


def _name_of(graph: Any) -> str:
    own = str(graph.get_name())
    return "workflow" if own in ("LangGraph", "Pregel") else own


def _wiring(
    graph: Any,
    policy: EscalationPolicy,
    store: Store,
    clock: Clock,
    name: str,
    calibrators: Mapping[str, Callable[[float], float]],
    allow_types: Sequence[type],
) -> Wiring:
    secret = store.write(lambda t: t.set_setting("coin.secret", secrets.token_hex(32)))
    key_id = store.write(lambda t: t.set_setting("coin.key_id", secrets.token_hex(4)))
    store.write(lambda t: t.break_leases(keep_owner=owner()))
    store.write(lambda t: put_in_force(t, name, policy.content_hash, policy.body(), now=clock()))
    seen = shape(graph)
    wiring = Wiring(
        workflow=name,
        version=version_of(seen),
        policy=policy,
        policy_hash=policy.content_hash,
        store=store,
        clock=clock,
        serde=StrictSerializer(serde_allowlist(graph, [*allow_types, *task_types(graph)])),
        secret=bytes.fromhex(secret),
        key_id=key_id,
        accuracy=Accuracy(name, policy, store, clock, calibrators),
        shape=seen,
    )
    remember_shape(wiring)
    return wiring
