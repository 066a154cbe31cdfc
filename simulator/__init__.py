"""
A stand-in for Light over real HTTP, for development, the demo and tests.

It behaves as the notes on Light's API say where those are firm, and as the chosen dialect says where they are not. It
imports nothing of Switchyard, keeps everything in memory and listens on loopback only. See `docs/simulator.md`.
"""
