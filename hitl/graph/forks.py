"""Forks: an earlier snapshot of a thread made its newest again. Uses LangGraph's public names only."""

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    copy_checkpoint,
)
from langgraph.checkpoint.base.id import uuid6


def forked(
    source: CheckpointTuple, config: RunnableConfig
) -> tuple[RunnableConfig, Checkpoint, CheckpointMetadata, ChannelVersions]:
    """Return what `saver.put` needs to make a copy of `source` the thread's newest snapshot.

    This is what LangGraph does when a thread is continued from an earlier checkpoint (source
    "fork"): the copy has a new id, so its tasks have new ids too.
    """
    checkpoint = copy_checkpoint(source.checkpoint)
    checkpoint["id"] = str(uuid6(clock_seq=int(source.metadata.get("step", 0))))
    parent = source.config["configurable"]
    metadata: CheckpointMetadata = {**source.metadata, "source": "fork"}
    put_config: RunnableConfig = {
        "configurable": {
            "thread_id": config["configurable"]["thread_id"],
            "checkpoint_ns": "",
            "checkpoint_id": parent["checkpoint_id"],
        }
    }
    return put_config, checkpoint, metadata, checkpoint["channel_versions"]
