"""
pyHanko takes most of a second to import. Whoever seals first would wait for it: a customer with a page open.
"""

import threading
from importlib import import_module


def warm_up() -> None:
    """Import what seals, and be back when it is there."""
    import_module("poa_documents.seal.pades")


def warm_up_aside() -> threading.Thread:
    """Import it beside the start: the process is ready no later, and who seals meanwhile waits for the rest only."""
    thread = threading.Thread(target=warm_up, name="warm-up", daemon=True)
    thread.start()
    return thread
