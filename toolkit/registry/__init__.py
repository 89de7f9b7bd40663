"""Plugins by kind and name: what finds, loads and checks them. Nothing here runs one."""

from toolkit.registry.kinds import CONTRACTS, SINGULAR, contract_fault, describe_failure
from toolkit.registry.registry import Plugin, Registry, Row

__all__ = [
    "CONTRACTS",
    "SINGULAR",
    "Plugin",
    "Registry",
    "Row",
    "contract_fault",
    "describe_failure",
]
