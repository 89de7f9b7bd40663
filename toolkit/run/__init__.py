"""A run as its folder holds it: ledger, events, lock. Nothing here decides what runs."""
