"""Certificates: thresholds that are proven, with None or a sentence where nothing can be."""

from hitl.lab.certificates.anytime import anytime_certificate
from hitl.lab.certificates.fixed_sequence import (
    Certificate,
    certify,
    certify_with_reviewers,
)
from hitl.lab.certificates.risk_control import SilentErrorThreshold, crc, rcps
from hitl.lab.certificates.runs import (
    BetaLevel,
    beta_level,
    critical_levels,
    predictive_interval,
    trajectory_certificate,
    trajectory_threshold,
)

__all__ = [
    "BetaLevel",
    "Certificate",
    "SilentErrorThreshold",
    "anytime_certificate",
    "beta_level",
    "certify",
    "certify_with_reviewers",
    "crc",
    "critical_levels",
    "predictive_interval",
    "rcps",
    "trajectory_certificate",
    "trajectory_threshold",
]
