"""Exports: the files that trainers and evaluators load as they are."""

from hitl.feedback.exports.texts import completion_of, prompt_of
from hitl.feedback.exports.writing import FORMATS, Exported, export

__all__ = ["FORMATS", "Exported", "completion_of", "export", "prompt_of"]
