"""Samba: configuration, accounts, registry, proof. Written once; sees a Host."""
