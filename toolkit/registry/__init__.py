"""Plugins by kind and name: what finds, loads and checks them, and says which one failed.

For plugin authors who run or measure searches: `Registry`, `get` and `names` are stable.
"""

from toolkit.registry.failures import checked, code_at_work, describe_failure, plugin_code
from toolkit.registry.kinds import CONTRACTS, SINGULAR, contract_fault
from toolkit.registry.registry import Plugin, Registry, Row

__all__ = [
    "CONTRACTS",
    "SINGULAR",
    "Plugin",
    "Registry",
    "Row",
    "checked",
    "code_at_work",
    "contract_fault",
    "describe_failure",
    "plugin_code",
]
