"""The quota monitor: what every share uses, how that went on, where it leads, and who is told."""
