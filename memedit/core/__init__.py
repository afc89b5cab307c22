"""The contract: types, calls, protocols, errors, and what every part needs."""
