"""Machines of a gateway's own: how they are made, started, entered."""
