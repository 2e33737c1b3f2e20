"""Benchmarks: ratios against plain LangGraph in one run. `python -m tests.benchmarks.overhead`."""
