"""SMB gateways for Proxmox VE and plain Debian."""

__version__ = "0.1.0"
