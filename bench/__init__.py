"""Benches: what the product promises, measured on real Samba beside a baseline of the same run."""
