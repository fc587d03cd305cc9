"""What we ask of Proxmox VE."""
