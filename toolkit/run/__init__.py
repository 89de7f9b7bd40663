"""A run as its folder holds it: ledger, facts, events, lock. Nothing here decides what runs."""
