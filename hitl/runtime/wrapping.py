"""From a graph and a policy to a workflow."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from hitl.errors import ConfigurationError
from hitl.graph.accuracy import Accuracy
from hitl.graph.leases import owner
from hitl.graph.lg import serde_allowlist
from hitl.graph.seam import compiled, nodes, workflow_version
from hitl.graph.session import Wiring
from hitl.graph.shapes import shapes
from hitl.policy import Checkpoint, EscalationPolicy
from hitl.ports import Clock, Store
from hitl.reviews import utcnow
from hitl.runtime.workflow import Workflow
from hitl.stores import borrow, give_back

DEFAULT_STORE = "sqlite:///hitl.db"
_SPOT_CHECKS = 0.02


def wrap(
    graph: Any,
    policy: EscalationPolicy | None = None,
    *,
    store: str | Store = DEFAULT_STORE,
    name: str | None = None,
    calibrators: Mapping[str, Callable[[float], float]] | None = None,
    allow_types: Sequence[type] = (),
    context: Any = None,
    clock: Clock = utcnow,
) -> Workflow:
    """Return `graph` as a workflow with a gate in every step.

    The graph object is not changed. Its checkpoints, reviews and trail are kept in `store`.

    Args:
        graph: A `StateGraph`, a compiled graph, or an agent of `create_agent`; without a
            checkpointer of its own.
        policy: When to ask. None: before steps with `metadata={"effect": True}`, and 2 % spot
            checks.
        store: A store, or its URL; `sqlite:///file.db`, or `sqlite://` for memory.
        name: The workflow's name; the graph's own when None, and "workflow" when it has none.
        calibrators: By step path: a function from reported confidence to P(right). Its `name` and
            `cutoff` attributes are logged when it has them.
        allow_types: Types in the state besides those its schemas name. Anything else in a stored
            snapshot is read back as plain data.
        context: LangGraph's static context for advances that no caller starts.
        clock: Returns the time now, aware, UTC.

    Raises:
        ConfigurationError: The graph, the policy or the store cannot be used; nothing was written.
    """
    base = compiled(graph)
    seen = shapes(base)
    steps = [step.path for step in seen]
    rules = (policy or _default_policy(base)).on(seen)
    rules.check(seen)
    for checkpoint in calibrators or {}:
        if checkpoint not in steps:
            raise ConfigurationError(
                f"A calibrator names step {checkpoint!r}; the graph has {', '.join(map(repr, sorted(steps)))}."
            )
    title = name or _name_of(base)
    if not isinstance(store, str):
        wiring = _wiring(base, rules, store, clock, title, calibrators or {}, allow_types)
        return Workflow(base, wiring, context=context, give_back=store.close)
    opened = borrow(store, clock=clock)
    wiring = _wiring(base, rules, opened, clock, title, calibrators or {}, allow_types)
    return Workflow(base, wiring, context=context, give_back=lambda: give_back(opened))


def _name_of(graph: Any) -> str:
    own = str(graph.get_name())
    return "workflow" if own in ("LangGraph", "Pregel") else own


def _default_policy(graph: Any) -> EscalationPolicy:
    effects = [n.path for n in nodes(graph) if (n.graph.nodes[n.name].metadata or {}).get("effect")]
    return EscalationPolicy(
        "default",
        spot_check=_SPOT_CHECKS,
        checkpoints=[Checkpoint(p, place="before", always=True) for p in effects],
    )


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
    store.write(lambda t: t.save_policy(policy.content_hash, policy.body()))
    return Wiring(
        workflow=name,
        version=workflow_version(graph),
        policy=policy,
        policy_hash=policy.content_hash,
        store=store,
        clock=clock,
        serde=JsonPlusSerializer(allowed_msgpack_modules=serde_allowlist(graph, allow_types)),
        secret=bytes.fromhex(secret),
        key_id=key_id,
        accuracy=Accuracy(name, policy, store, clock, calibrators),
    )
