"""Requests to other servers: pooled keep-alive connections over TCP, TLS or a unix socket."""
