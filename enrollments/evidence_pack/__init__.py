"""
The evidence of one case in one file: see `building.build`. `verify_pack` checks it without us and travels inside it.
"""
