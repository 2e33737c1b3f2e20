"""An assistant with a calendar asks before it deletes, and twice as loud before it invites executives.

A scripted model stands where yours would (`pip install langchain`, no key). Nobody is asked about a
colleague's invitation; a yes lets it delete a meeting; a no to inviting the chief executive stops the run.
"""

from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool

import hitl
from hitl import Checkpoint, EscalationPolicy

EXECUTIVES = {"ceo@firm.example", "cfo@firm.example"}
SENT: list[str] = []
CALLS: list[tuple[str, dict[str, Any]]] = [
    ("invite", {"guest": "bo@firm.example", "event": "Retro"}),
    ("delete_event", {"event": "Old stand-up"}),
    ("invite", {"guest": "ceo@firm.example", "event": "Retro"}),
]


@tool
def delete_event(event: str) -> str:
    """Delete an event for everybody."""
    SENT.append(f"deleted {event}")
    return "deleted"


@tool
def invite(guest: str, event: str) -> str:
    """Send an invitation."""
    SENT.append(f"invited {guest}")
    return "sent"


class Model(FakeMessagesListChatModel):
    """Says what is in its script, whatever it is told; your own model goes here."""

    def bind_tools(self, tools: Any, **_: Any) -> "Model":
        """Take the tools as they are."""
        return self


def to_executives(arguments: dict[str, Any]) -> str:
    """Return why an invitation needs a person, or nothing."""
    asked = sorted(EXECUTIVES & {call["args"].get("guest") for call in arguments["calls"]})
    return f"{', '.join(asked)} is an executive." if asked else ""


DELETING = Checkpoint("tool:delete_*", always=True, title="Delete {event}")
INVITING = Checkpoint("tool:invite", rule=to_executives, risk="high", title="Invite {guest}")
POLICY = EscalationPolicy("calendar", checkpoints=[DELETING, INVITING])


def make_agent() -> Any:
    """Return the agent as it is without hitl."""
    calls = [AIMessage("", tool_calls=[{"name": n, "args": a, "id": n}]) for n, a in CALLS]
    return create_agent(Model(responses=[*calls, AIMessage("Done.")]), [delete_event, invite])


def main() -> None:
    """Let the agent work, and answer as a person would."""
    app = hitl.wrap(make_agent(), POLICY, store="sqlite://", name="calendar")
    run = app.start({"messages": [("user", "Clean up Friday, and ask the others to the retro.")]})
    for verdict in ("approve", "deny"):
        (review,) = run.reviews()
        why = " ".join(review.presentation.why)
        print(f"{review.risk} risk: {review.presentation.title}? {why} {verdict}")
        app.queue.decide(review.id, verdict, by="ana", proposal_hash=review.proposal_hash)
        run.wait(timeout=0)
    print(f"{run.status.value}: {', '.join(SENT)}")
    app.close()


if __name__ == "__main__":
    main()
