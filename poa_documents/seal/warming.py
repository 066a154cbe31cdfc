"""
Imports pyHanko in advance. It takes most of a second, which a customer would wait for with a page open.
"""

import threading
from importlib import import_module


def warm_up() -> None:
    """Import what seals, and return when it is loaded."""
    import_module("poa_documents.seal.pades")


def warm_up_in_background() -> threading.Thread:
    """Import it in a background thread, so that the process starts no later."""
    thread = threading.Thread(target=warm_up, name="warm-up", daemon=True)
    thread.start()
    return thread
