"""The engine's HTTP interface, over its unix socket."""
