"""
The bare comparison for enrollments: the six calls that one needs, in a loop, storing nothing.

`python -m tools.benchmarks.bare.loop prepare|enroll URL TOKEN` reads its instructions as JSON from standard input.
"""

import json
import multiprocessing
import sys
import time
import uuid
from datetime import UTC, datetime
from multiprocessing.synchronize import Barrier

import requests

TIMEOUT_SECONDS = 30


class Light:
    def __init__(self, url: str, token: str) -> None:
        self._url, self._token = url, token
        self._session = requests.Session()
        self._session.trust_env = False

    def ask(self, method: str, path: str, payload: object = None, *, token: str | None = None) -> dict[str, object]:
        response = self._session.request(
            method,
            f"{self._url}{path}",
            json=payload,
            headers={"Authorization": f"Bearer {token or self._token}"},
            timeout=TIMEOUT_SECONDS,
        )
        response.raise_for_status()
        answer: dict[str, object] = response.json() if response.content else {}
        return answer


def prepare(light: Light, count: int) -> list[dict[str, str]]:
    """Create accounts that have everything Light asks for."""
    accounts = []
    agreed_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    for _ in range(count):
        email = f"bare.{uuid.uuid4().hex}@example.com"
        new = {"email": email, "first_name": "Bare", "last_name": "Loop"}
        account = str(light.ask("POST", "/v1/app/accounts", new)["uuid"])
        light.ask("POST", f"/v1/app/accounts/{account}/record-client-agent", {"client_agent_accepted_at": agreed_at})
        esi_id = f"1044372{uuid.uuid4().int % 10**10:010d}"
        light.ask("POST", f"/__sim__/accounts/{account}/complete", {"esi_id": esi_id})
        accounts.append({"account": account, "esi_id": esi_id})
    return accounts


def enroll(light: Light, account: str, esi_id: str, start: str) -> None:
    asked = light.ask("POST", f"/v1/app/accounts/{account}/enroll/plans/request", {"esi_id": esi_id})
    plans = asked["plans"]
    token = str(light.ask("POST", f"/v1/app/accounts/{account}/token")["token"])
    acceptance = {
        "plan_uuid": plans[0]["uuid"],  # type: ignore[index]  # the stand-in's own list
        "esi_id": esi_id,
        "service_start_date": start,
        "terms_accepted": True,
    }
    light.ask("POST", "/v1/account/enroll/plans/accept", acceptance, token=token)
    light.ask("GET", f"/v1/app/accounts/{account}")
    light.ask("POST", "/v1/account/enroll/finalize", {}, token=token)
    light.ask("GET", f"/v1/app/accounts/{account}")


def work(url: str, token: str, share: list[dict[str, str]], start: str, together: Barrier) -> None:
    light = Light(url, token)
    together.wait()
    for each in share:
        enroll(light, each["account"], each["esi_id"], start)


def enroll_all(url: str, token: str, accounts: list[dict[str, str]], processes: int, start: str) -> float:
    together = multiprocessing.Barrier(processes + 1)
    shares = [accounts[number::processes] for number in range(processes)]
    workers = [multiprocessing.Process(target=work, args=(url, token, share, start, together)) for share in shares]
    for worker in workers:
        worker.start()
    together.wait()
    began = time.perf_counter()
    for worker in workers:
        worker.join()
    seconds = time.perf_counter() - began
    if any(worker.exitcode for worker in workers):
        raise SystemExit("a process of the loop failed")
    return seconds


def main() -> None:
    command, url, token = sys.argv[1:4]
    told = json.load(sys.stdin)
    answer: dict[str, object]
    if command == "prepare":
        answer = {"accounts": prepare(Light(url, token), told["count"])}
    else:
        answer = {"seconds": enroll_all(url, token, told["accounts"], told["processes"], told["start"])}
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main()
