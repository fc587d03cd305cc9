"""Gateways of several nodes: CTDB moves their addresses, a fence of ours keeps a cut-off member from serving."""
