"""
A stand-in for Light over real HTTP, for development, the demo and tests.

It follows the notes on Light's API where they are certain, and the chosen dialect where they are not. It imports no
Switchyard code, keeps everything in memory and listens on loopback only. See `docs/simulator.md`.
"""
