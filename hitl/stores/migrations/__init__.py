"""Migrations of the tables with the prefix `hitl_`; one tree for every database."""
