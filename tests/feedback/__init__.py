"""Feedback: from clicks to data."""
