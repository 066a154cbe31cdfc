"""Write what production installs, from its lock file, as a CycloneDX list. Standard library only."""

import json
import re
import sys
from pathlib import Path

LOCK = Path(__file__).parent.parent / "requirements.lock"
PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^ ;\\]+)")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def components(lines: list[str]) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    hashes: list[dict[str, str]] = []
    for line in lines:
        pinned = PINNED.match(line)
        if pinned:
            name, version = pinned[1].lower().replace("_", "-"), pinned[2]
            hashes = []
            purl = f"pkg:pypi/{name}@{version}"
            found.append({"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl})
            found[-1]["hashes"] = hashes
        hashes += [{"alg": "SHA-256", "content": digest} for digest in HASH.findall(line)]
    return found


if __name__ == "__main__":
    parts = components(LOCK.read_text().splitlines())
    bill = {"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": parts}
    sys.stdout.write(json.dumps(bill, indent=1) + "\n")
