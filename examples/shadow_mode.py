"""Put the gates around an agent you already have, withhold nothing, and read what they would have asked.

The agent is that of `calendar_agent.py`, unchanged. In shadow mode it invites and deletes as it always
did, in three runs; nobody is asked. The report then says for each checkpoint how often it would have
asked, why, and how many minutes of a reviewer that would have been.

Run it with `python examples/shadow_mode.py`; it needs `pip install langchain`, no key, no network.
"""

from calendar_agent import (  # type: ignore[import-not-found] # stands beside this script
    POLICY,
    SENT,
    make_agent,
)

import hitl


def main() -> None:
    """Run the agent three times in shadow mode."""
    app = hitl.wrap(make_agent(), POLICY, mode="shadow", store="sqlite://", name="calendar")
    for _ in range(3):
        run = app.start({"messages": [("user", "Clean up Friday.")]})
        print(f"{run.status.value}, {len(run.reviews())} reviews, {len(SENT)} effects so far")
    print(app.shadow_report())
    app.close()


if __name__ == "__main__":
    main()
