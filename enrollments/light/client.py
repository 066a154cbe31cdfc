"""
The client for Light's API. One method per call; errors say what to do next.

Calls that change nothing (accounts, plans, links, tokens) are retried a few times within seconds and fail with
`NotReached`. Writes (create, record, accept, finalize) are sent once. `NotReached`, `Refused` and `Unauthorized` prove
that nothing happened; every other failure is `InDoubt`.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self, TypeVar
from urllib.parse import parse_qsl, urlsplit

from enrollments.light.deadlines import DIRECT, Route
from enrollments.light.dialect import AccountSearch, Dialect, TokenKind
from enrollments.light.errors import (
    Conflict,
    InDoubt,
    LightError,
    NotReached,
    PaceExceeded,
    Redirected,
    Refused,
    Unauthorized,
    UnknownToLight,
    WrongDialect,
)
from enrollments.light.json_text import UnreadableJson, UnreadableValue, read_identifier, read_instant
from enrollments.light.pace_interface import Pace, UnlimitedPace
from enrollments.light.payloads import (
    Acceptance,
    Account,
    AccountList,
    Documents,
    HostedLink,
    NewAccount,
    PlanList,
    UnreadableResponse,
    Unusable,
    WriteResult,
    parse_account,
    parse_accounts,
    parse_documents,
    parse_hosted_link,
    parse_plans,
    parse_write_answer,
)
from enrollments.light.reasons import fields_named, reasons_from
from enrollments.light.redaction import sensitive_texts
from enrollments.light.tokens import AccountToken, TokenStore
from enrollments.light.transport import Answer, Exchange, Transport, check_token

READING = "read an account"
_RETRY_PAUSES_SECONDS = (0.25, 1.0)
_MAX_RETRY_PAUSE_SECONDS = 2.0
_MAX_TYPICAL_CHECK_SECONDS = 0.5
_CHECK_WEIGHT = 0.2
_TOO_MANY_REQUESTS = 429
_METHOD_PRESERVING_REDIRECTS = frozenset({307, 308})
"""The work is to be done at another URL, so it was not done here."""
_TRANSIENT_STATUSES = frozenset({_TOO_MANY_REQUESTS, 502, 503, 504})
_MAX_PAGES = 500
_OFFSET = re.compile(r"[0-9]{1,9}", re.ASCII)
_TOKEN_LIFE = timedelta(minutes=60)
_MAX_CLOCK_DIFFERENCE = timedelta(minutes=15)
_CLOCK_RETRY_SECONDS = 60.0
_MIN_USEFUL_SECONDS = 0.1

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, kw_only=True)
class _Page:
    """One page of the account list, and the query of the next one."""

    listed: AccountList
    next_query: dict[str, str] | None
    is_next_certain: bool = True


class _TimeLeft:
    """The time left for one call, including its retries."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    @property
    def is_over(self) -> bool:
        return self.seconds <= _MIN_USEFUL_SECONDS

    @contextmanager
    def spent(self) -> Iterator[None]:
        """Subtract the duration of the `with` block. Waiting for the rate limit is not included."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds -= time.monotonic() - started


class LightClient:
    """
    Talks to one Light app. Create one per process and share it between threads; `close` it or use it in a `with`.

    `base_url` is scheme and host without `/v1`. `observe` is called with every HTTP exchange, in the calling thread,
    and must not raise. `pace` limits the rate of calls, `route` sets proxy and CA file. `clock` and `pause` are
    replaced in tests and in simulated time.

    :raises ValueError: the URL or the token is invalid
    """

    def __init__(
        self,
        *,
        base_url: str,
        app_token: str,
        dialect: Dialect | None = None,
        connect_timeout_seconds: float = 5,
        read_timeout_seconds: float = 30,
        observe: Callable[[Exchange], None] | None = None,
        pace: Pace | None = None,
        route: Route = DIRECT,
        clock: Callable[[], datetime] | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._app_token = check_token(app_token, name="LIGHT_APP_TOKEN")
        self._dialect = dialect or Dialect()
        self._clock = clock or _system_time
        self._pause = pause
        self._pace: Pace = pace or UnlimitedPace()
        self._jitter = random.SystemRandom()
        self._tokens = TokenStore()
        self._typical_check_seconds = 0.0
        self._transport = Transport(
            base_url=base_url,
            connect_timeout_seconds=connect_timeout_seconds,
            read_timeout_seconds=read_timeout_seconds,
            observe=observe,
            clock=self._clock,
            route=route,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"LightClient(base_url={self._transport.base_url!r})"

    def close(self) -> None:
        """Close the connections of all threads. The client can still be used; it then reconnects."""
        self._transport.close()

    @property
    def dialect(self) -> Dialect:
        return self._dialect

    @property
    def max_call_seconds(self) -> float:
        """
        The longest time a write can take, including its tokens. An attempt open for longer has lost its worker.

        `find_accounts` may take longer, because it reads many pages.
        """
        exchange, wait = self._transport.max_exchange_seconds, self._pace.max_wait_seconds
        token = exchange + (len(_RETRY_PAUSES_SECONDS) + 1) * (wait + _MAX_RETRY_PAUSE_SECONDS)
        return 2 * (token + wait + exchange)

    # Accounts

    def create_account(self, new: NewAccount, *, before_send: Callable[[], None] | None = None) -> Account:
        """
        Create an account. If Light refuses an optional field by name, create it without those fields.

        As with every write, `before_send` is called immediately before sending, and what it raises is passed on. After
        `InDoubt`, look for the account with `find_accounts` before creating another one.

        :raises Conflict: Light already has this e-mail; link the account by hand
        """
        required = {"email": new.email, "first_name": new.first_name, "last_name": new.last_name}
        optional = self._optional_fields(new)
        path = "/v1/app/accounts"
        purpose = "create an account"
        payload = {**required, **optional}
        answer = self._send(
            "POST", path, purpose=purpose, token=self._app_token, payload=payload, before_send=before_send
        )
        if answer.status == 422 and fields_named(answer.error_body(), tuple(optional)):
            purpose = "create an account without optional fields"
            answer = self._send(
                "POST", path, purpose=purpose, token=self._app_token, payload=required, before_send=before_send
            )
        self._check_write(answer, purpose=purpose, sent=payload)
        return self._parse_write(answer, self._parse_account, purpose=purpose)

    def find_accounts(self, email: str) -> AccountList:
        """
        Find all accounts with this e-mail, ignoring case, newest first; those of unknown age come last.

        Unusable entries with this e-mail, or with none, are included: each may be the account we want.

        :raises Refused: the list leads to another host, or never ends
        """
        query = {"email": email} if self._dialect.account_search is AccountSearch.EMAIL else {}
        wanted = email.strip().lower()

        def has_email(entry: Account | Unusable) -> bool:
            return (entry.email or "").strip().lower() == wanted

        listed = self._listed(query)
        oldest = datetime.min.replace(tzinfo=UTC)
        matching = sorted(
            filter(has_email, listed.accounts), key=lambda account: account.created_at or oldest, reverse=True
        )
        unusable = (entry for entry in listed.unusable if entry.email is None or has_email(entry))
        return AccountList(accounts=tuple(matching), unusable=tuple(unusable))

    def list_accounts(self) -> AccountList:
        """
        Read the whole list of the app's accounts.

        :raises Refused: the list leads to another host, or never ends
        """
        return self._listed({})

    def _listed(self, filters: Mapping[str, str]) -> AccountList:
        query = {"limit": str(self._dialect.page_size), "offset": "0", **filters}
        found: dict[str, Account] = {}
        unusable: list[Unusable] = []
        asked: set[tuple[tuple[str, str], ...]] = set()
        next_query: dict[str, str] | None = query
        while next_query is not None:
            position = tuple(sorted(next_query.items()))
            if position in asked or len(asked) >= _MAX_PAGES:
                raise Refused(
                    "Light's account list never ends; the search is not complete.",
                    reasons=("the list of accounts repeats itself or is too long",),
                )
            asked.add(position)
            page = self._read_page(next_query)
            accounts, strange = page.listed.accounts, [each for each in page.listed.unusable if each not in unusable]
            has_news = bool(strange) or any(account.uuid not in found for account in accounts)
            found.update({account.uuid: account for account in accounts})
            unusable += strange
            next_query = page.next_query if has_news or page.is_next_certain else None
        return AccountList(accounts=tuple(found.values()), unusable=tuple(unusable))

    def ping(self) -> None:
        """
        Make a small call, only to get an answer. Its content does not matter.

        :raises NotReached: no answer
        """
        self._fetch(
            "GET", "/v1/app/accounts", purpose="see whether Light answers", parse=_unparsed, query={"limit": "1"}
        )

    def read_account(self, account_uuid: str) -> Account:
        """Read the account. A read may lag behind a write."""

        def parse(source: object) -> Account:
            account = self._parse_account(source)
            if account.uuid.lower() != account_uuid.lower():
                raise UnreadableResponse("the answer is about another account")
            return account

        return self._fetch("GET", self._account_path(account_uuid), purpose=READING, parse=parse)

    def record_client_agent(
        self, account_uuid: str, *, accepted_at: datetime, before_send: Callable[[], None] | None = None
    ) -> WriteResult | None:
        """
        Tell Light that we act for the customer since `accepted_at`, the instant of the signature, in whole seconds.

        Any 2xx returns, as for `accept_plan`. None means that Light says it was recorded before. Only the account can
        confirm that, because Light may answer the same way if the account's state does not allow it. A repeat is safe.
        If Light refuses a very recent instant, its clock may be behind ours: that is `NotReached`, to be tried again.

        :raises ValueError: the instant has no offset
        """
        if accepted_at.tzinfo is None:
            raise ValueError("accepted_at needs an offset: it is the instant at which the customer signed")
        moment = accepted_at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        payload = {"client_agent_accepted_at": moment}
        purpose = "record the client agent"
        path = self._account_path(account_uuid, "/record-client-agent")
        answer = self._send(
            "POST", path, purpose=purpose, token=self._app_token, payload=payload, before_send=before_send
        )
        if answer.status in self._dialect.already_recorded_statuses:
            return None
        is_fresh = self._clock() - accepted_at < _MAX_CLOCK_DIFFERENCE
        if answer.status in {400, 422} and is_fresh and fields_named(answer.error_body(), tuple(payload)):
            raise NotReached(
                f"Light refused the instant of a signature just made ({answer.status}) when told to {purpose}; its "
                "clock may be behind ours.",
                status=answer.status,
                retry_after_seconds=_CLOCK_RETRY_SECONDS,
            )
        self._check_write(answer, purpose=purpose, sent=payload)
        return self._parse_write_answer(answer, purpose=purpose)

    def update_email(self, account_uuid: str, *, email: str, before_send: Callable[[], None] | None = None) -> Account:
        """
        Change the account's e-mail address. A repeat is safe.

        :raises WrongDialect: the configured path does not exist; this says nothing about the account
        :raises InDoubt: also if the answer does not show the new address; read the account to find out
        """
        purpose = "correct the e-mail address"
        payload = {"email": email}
        path = self._dialect.update_account_path.replace("{account_uuid}", _checked(account_uuid))
        answer = self._send(
            "PATCH", path, purpose=purpose, token=self._app_token, payload=payload, before_send=before_send
        )
        if answer.status == 405:
            raise WrongDialect(
                f"Light does not support this URL to {purpose} (405): check LIGHT_DIALECT_UPDATE_ACCOUNT_PATH.",
                status=answer.status,
                reasons=reasons_from(answer.error_body()),
            )
        self._check_write(answer, purpose=purpose, sent=payload)
        account = self._parse_write(answer, self._parse_account, purpose=purpose)
        if (account.email or "").strip().lower() != email.strip().lower():
            raise InDoubt(
                f"Light's answer does not confirm the change when told to {purpose}; it may have happened.",
                status=answer.status,
            )
        return account

    def hosted_link(self, account_uuid: str, *, plan_group: str | None = None, scope: str = "enrollment") -> HostedLink:
        """Get a one-time link to Light's own pages for the customer who is clicking now."""
        payload = {"scope": scope} | ({"plan_group": plan_group} if plan_group is not None else {})
        return self._fetch(
            "POST",
            self._account_path(account_uuid, "/flow-login"),
            purpose="get a link to the hosted pages",
            parse=parse_hosted_link,
            payload=payload,
        )

    # Plans

    def request_plans(
        self, account_uuid: str, *, esi_id: str, before_send: Callable[[], None] | None = None
    ) -> PlanList:
        """
        Ask for today's offers for this meter. An empty list is a normal answer.

        Retried after transient failures; `before_send` is called before each attempt.

        :raises UnknownToLight: the account or the ESI ID does not exist
        """
        return self._fetch(
            "POST",
            self._account_path(account_uuid, "/enroll/plans/request"),
            purpose="request plans",
            parse=lambda source: parse_plans(source, dialect=self._dialect),
            payload={"esi_id": esi_id},
            before_send=before_send,
        )

    def accept_plan(
        self, account_uuid: str, acceptance: Acceptance, *, before_send: Callable[[], None] | None = None
    ) -> WriteResult:
        """
        Accept the plan for the customer, with a fresh account token. Sent once, never retried.

        Any 2xx returns. The caller checks in the answer, or in the account, whether Light did what was asked.

        :raises Conflict: already accepted, plan expired, or account not ready; read the account
        """
        payload = {
            "plan_uuid": acceptance.plan_uuid,
            "esi_id": acceptance.esi_id,
            "service_start_date": acceptance.service_start_date.isoformat(),
            "terms_accepted": True,
        }
        purpose = "accept a plan"
        self._tokens.forget(account_uuid)
        answer = self._send_as_account(
            "POST",
            "/v1/account/enroll/plans/accept",
            account_uuid=account_uuid,
            purpose=purpose,
            payload=payload,
            before_send=before_send,
        )
        self._check_write(answer, purpose=purpose, sent=payload)
        return self._parse_write_answer(answer, purpose=purpose)

    def finalize(self, account_uuid: str, *, before_send: Callable[[], None] | None = None) -> WriteResult:
        """
        Finalize the enrollment after the acceptance. Light may answer a repeat with success or with a conflict.

        Any 2xx returns, as for `accept_plan`.

        :raises Conflict: already finalized, or something is missing; read the account to find out
        :raises WrongDialect: the configured path does not exist; this says nothing about the account
        """
        purpose = "finalize the enrollment"
        path = self._dialect.finalize_path.replace("{account_uuid}", _checked(account_uuid))
        if self._dialect.finalize_token is TokenKind.APP:
            answer = self._send(
                "POST", path, purpose=purpose, token=self._app_token, payload={}, before_send=before_send
            )
        else:
            answer = self._send_as_account(
                "POST", path, account_uuid=account_uuid, purpose=purpose, payload={}, before_send=before_send
            )
        if answer.status in {404, 405}:
            raise WrongDialect(
                f"Light does not support this URL to {purpose} ({answer.status}): check LIGHT_DIALECT_FINALIZE_PATH.",
                status=answer.status,
                reasons=reasons_from(answer.error_body()),
            )
        self._check_write(answer, purpose=purpose, sent={})
        return self._parse_write_answer(answer, purpose=purpose)

    def location_documents(self, account_uuid: str, location_uuid: str) -> Documents:
        """Return the URLs of the documents of the location's plan."""
        return self._fetch(
            "GET",
            f"/v1/account/locations/{_checked(location_uuid)}/documents",
            purpose="find the plan documents",
            parse=parse_documents,
            account_uuid=account_uuid,
        )

    # Calls that change nothing

    def _fetch(
        self,
        method: str,
        path: str,
        *,
        purpose: str,
        parse: Callable[[object], Parsed],
        payload: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        account_uuid: str | None = None,
        before_send: Callable[[], None] | None = None,
    ) -> Parsed:
        """Make a call that changes nothing, with retries. Every transient failure is `NotReached`."""
        answer = self._send_with_retries(
            method,
            path,
            purpose=purpose,
            payload=payload,
            query=query,
            account_uuid=account_uuid,
            before_send=before_send,
        )
        if answer.status >= 500 or answer.status < 200 or answer.status in {408, 425, 429}:
            raise NotReached(
                f"Light could not answer ({answer.status}) when asked to {purpose}.",
                status=answer.status,
                retry_after_seconds=answer.retry_after_seconds,
            )
        if answer.status in _METHOD_PRESERVING_REDIRECTS and method != "GET":
            raise _redirected(answer, purpose=purpose)
        if 300 <= answer.status < 400:
            raise NotReached(
                f"Light answered with a redirect ({answer.status}), which is never followed, when asked to {purpose}: "
                "check LIGHT_API_URL.",
                status=answer.status,
            )
        if not answer.is_success:
            raise self._refusal(answer, purpose=purpose, sent={**(payload or {}), **(query or {})})
        try:
            return parse(answer.json())
        except (UnreadableJson, UnreadableResponse) as cause:
            raise NotReached(
                f"Light's answer was unreadable ({cause}) when asked to {purpose}.", status=answer.status
            ) from cause

    def _send_with_retries(
        self,
        method: str,
        path: str,
        *,
        purpose: str,
        payload: Mapping[str, object] | None,
        query: Mapping[str, str] | None,
        account_uuid: str | None,
        before_send: Callable[[], None] | None,
    ) -> Answer:
        time_left = _TimeLeft(self._transport.max_exchange_seconds)
        for pause_seconds in (*_RETRY_PAUSES_SECONDS, None):
            trouble: LightError
            try:
                if account_uuid is None:
                    answer = self._send(
                        method,
                        path,
                        purpose=purpose,
                        token=self._app_token,
                        payload=payload,
                        query=query,
                        before_send=before_send,
                        time_left=time_left,
                    )
                else:
                    answer = self._send_as_account(
                        method,
                        path,
                        account_uuid=account_uuid,
                        purpose=purpose,
                        payload=payload,
                        before_send=before_send,
                        time_left=time_left,
                    )
            except PaceExceeded:
                raise
            except NotReached as cause:
                trouble = cause
            except InDoubt as cause:
                trouble = NotReached(str(cause))
            else:
                wait = self._wait_before_repeat(answer, pause_seconds)
                if wait is None or time_left.is_over:
                    return answer
                self._pause(wait)
                continue
            if pause_seconds is None or time_left.is_over:
                raise trouble
            self._pause(pause_seconds * self._jitter.uniform(0.5, 1.0))
        raise AssertionError("the last round returns or raises")

    def _wait_before_repeat(self, answer: Answer, pause_seconds: float | None) -> float | None:
        """Return the seconds to wait before a retry, or None if this answer is final."""
        if pause_seconds is None or answer.status not in _TRANSIENT_STATUSES:
            return None
        if answer.retry_after_seconds is not None:
            is_short = answer.retry_after_seconds <= _MAX_RETRY_PAUSE_SECONDS
            return answer.retry_after_seconds if is_short else None
        return None if answer.status == 429 else pause_seconds * self._jitter.uniform(0.5, 1.0)

    def _send(
        self,
        method: str,
        path: str,
        *,
        purpose: str,
        token: str,
        payload: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        before_send: Callable[[], None] | None = None,
        time_left: _TimeLeft | None = None,
    ) -> Answer:
        """
        Send once, within the rate limit. `before_send` is called after the wait, so that nothing can change after it.

        The wait is shortened by the usual duration of `before_send`, so that all calls are spaced evenly.
        """
        if before_send is None:
            self._pace.take_turn()
        else:
            self._pace.take_turn(seconds_before=self._typical_check_seconds)
            began = time.monotonic()
            before_send()
            self._note_check_duration(time.monotonic() - began)
        time_left = time_left or _TimeLeft(self._transport.max_exchange_seconds)
        with time_left.spent():
            answer = self._transport.exchange(
                method,
                path,
                purpose=purpose,
                token=token,
                payload=payload,
                query=query,
                within_seconds=time_left.seconds,
            )
        if answer.status == _TOO_MANY_REQUESTS:
            self._pace.slow_down(answer.retry_after_seconds)
        return answer

    def _note_check_duration(self, seconds: float) -> None:
        """Update the moving average of how long `before_send` takes; a single slow call counts little."""
        difference = min(seconds, _MAX_TYPICAL_CHECK_SECONDS) - self._typical_check_seconds
        self._typical_check_seconds += _CHECK_WEIGHT * difference

    # Account tokens

    def _send_as_account(
        self,
        method: str,
        path: str,
        *,
        account_uuid: str,
        purpose: str,
        payload: Mapping[str, object] | None = None,
        before_send: Callable[[], None] | None = None,
        time_left: _TimeLeft | None = None,
    ) -> Answer:
        """Send with the account's token. After a 401, when nothing has happened, try once more with a fresh token."""

        def send() -> Answer:
            token = self._account_token(account_uuid)
            return self._send(
                method,
                path,
                purpose=purpose,
                token=token,
                payload=payload,
                before_send=before_send,
                time_left=time_left,
            )

        answer = send()
        if answer.status == 401:
            self._tokens.forget(account_uuid)
            answer = send()
        if answer.status == 401:
            self._tokens.forget(account_uuid)
        return answer

    def _account_token(self, account_uuid: str) -> str:
        now = self._clock()
        token = self._tokens.fresh(account_uuid, now=now)
        if token is None:
            token = self._fetch(
                "POST",
                self._account_path(account_uuid, "/token"),
                purpose="get an account token",
                parse=lambda source: _parse_token(source, now=now),
            )
            self._tokens.keep(account_uuid, token, now=now)
        return token.text

    # Answers to writes

    def _check_write(self, answer: Answer, *, purpose: str, sent: Mapping[str, object]) -> None:
        """
        Return on success, and raise the right error for everything else.

        A redirect that keeps the method (307, 308) proves that nothing was done. Other redirects prove nothing.
        """
        if answer.is_success:
            return
        if answer.status == 429:
            raise NotReached(
                f"Light was too busy (429) when told to {purpose}.",
                status=429,
                retry_after_seconds=answer.retry_after_seconds,
            )
        if answer.status in _METHOD_PRESERVING_REDIRECTS:
            raise _redirected(answer, purpose=purpose)
        is_telling = 400 <= answer.status < 500 and answer.status != 408
        if is_telling:
            raise self._refusal(answer, purpose=purpose, sent=sent)
        with_what = "with a redirect, which is never followed, " if 300 <= answer.status < 400 else ""
        raise InDoubt(
            f"Light answered {answer.status} {with_what}when told to {purpose}; it may have happened.",
            status=answer.status,
            retry_after_seconds=answer.retry_after_seconds,
        )

    def _parse_write(self, answer: Answer, parse: Callable[[object], Parsed], *, purpose: str) -> Parsed:
        try:
            return parse(answer.json())
        except (UnreadableJson, UnreadableResponse) as cause:
            raise InDoubt(
                f"Light's answer was unreadable ({cause}) when told to {purpose}; it may have happened.",
                status=answer.status,
            ) from cause

    def _parse_write_answer(self, answer: Answer, *, purpose: str) -> WriteResult:
        return self._parse_write(
            answer,
            lambda source: parse_write_answer(source, status=answer.status, dialect=self._dialect),
            purpose=purpose,
        )

    def _refusal(self, answer: Answer, *, purpose: str, sent: Mapping[str, object]) -> LightError:
        if answer.status == 401:
            return Unauthorized(f"Light does not accept our token (401) to {purpose}.", status=401)
        kinds: dict[int, type[Refused]] = {404: UnknownToLight, 405: WrongDialect, 409: Conflict}
        reasons = reasons_from(
            answer.error_body(), also=(self._app_token, *self._tokens.texts(), *sensitive_texts(sent))
        )
        said = "; ".join(reasons) or "without a reason"
        return kinds.get(answer.status, Refused)(
            f"Light refused ({answer.status}) to {purpose}: {said}", status=answer.status, reasons=reasons
        )

    # Parsing

    def _read_page(self, query: Mapping[str, str]) -> _Page:
        return self._fetch(
            "GET",
            "/v1/app/accounts",
            purpose="search the accounts",
            parse=lambda source: self._parse_page(source, query),
            query=query,
        )

    def _parse_page(self, source: object, query: Mapping[str, str]) -> _Page:
        entries = source.get("data") if isinstance(source, Mapping) else source
        if not isinstance(entries, list):
            raise UnreadableResponse("the answer has no list of accounts")
        listed = parse_accounts(entries, dialect=self._dialect)
        if not isinstance(source, Mapping):
            # A bare array does not say whether it is complete. If it fills a page, there may be another one.
            is_full = len(entries) >= self._dialect.page_size
            following = _advanced(query, len(entries)) if is_full else None
            return _Page(listed=listed, next_query=following, is_next_certain=False)
        if source.get("next_page_url"):
            return _Page(listed=listed, next_query=self._query_of(source["next_page_url"]))
        has_more = bool(source.get("has_more") and entries)
        return _Page(listed=listed, next_query=_advanced(query, len(entries)) if has_more else None)

    def _query_of(self, address: object) -> dict[str, str]:
        """Return the query of the next page's URL, if it points to the same host and list."""
        try:
            parts = urlsplit(str(address))
            place = (parts.hostname, parts.port)
        except ValueError as cause:
            raise UnreadableResponse("the address of the next page is unreadable") from cause
        home = urlsplit(self._transport.base_url)
        if parts.netloc and place != (home.hostname, home.port):
            raise Refused(
                "Light's account list leads to another host, where our token must not go.",
                reasons=("the address of the next page is on another host",),
            )
        if parts.path not in {"", "/v1/app/accounts", "/v1/app/accounts/"}:
            raise UnreadableResponse("the next page is not one of the account list")
        return dict(parse_qsl(parts.query))

    def _parse_account(self, source: object) -> Account:
        return parse_account(source, dialect=self._dialect)

    def _account_path(self, account_uuid: str, rest: str = "") -> str:
        return f"/v1/app/accounts/{_checked(account_uuid)}{rest}"

    def _optional_fields(self, new: NewAccount) -> dict[str, str]:
        born = new.date_of_birth.isoformat() if new.date_of_birth is not None else None
        pairs = ((self._dialect.phone_field, new.phone_number), (self._dialect.birth_date_field, born))
        return {name: value for name, value in pairs if name is not None and value}


def _redirected(answer: Answer, *, purpose: str) -> Redirected:
    where = f" to {answer.redirects_to}" if answer.redirects_to else ""
    return Redirected(
        f"Light redirects{where} ({answer.status}) when told to {purpose}. A redirect is never followed, and nothing "
        "happened: check LIGHT_API_URL, and ask Light whether the address moved.",
        status=answer.status,
    )


def _system_time() -> datetime:
    """Return the current time. `core.clock` cannot be used here because it imports Django."""
    return datetime.now(tz=UTC)


def _unparsed(source: object) -> object:
    """Return the answer as it is: any answer will do."""
    return source


def _checked(identifier: str) -> str:
    """Return the identifier; :raises ValueError: it could change the path"""
    return read_identifier(identifier)


def _advanced(query: Mapping[str, str], count: int) -> dict[str, str]:
    offset = query.get("offset", "0")
    if not _OFFSET.fullmatch(offset):
        raise UnreadableResponse("the offset in the account list is unreadable")
    return {**query, "offset": str(int(offset) + count)}


def _parse_token(source: object, *, now: datetime) -> AccountToken:
    text = source.get("token") if isinstance(source, Mapping) else None
    try:
        text = check_token(text if isinstance(text, str) else "", name="the token")
    except ValueError as cause:
        raise UnreadableResponse("the answer has no usable token") from cause
    try:
        expires_at = read_instant(source.get("expires_at") if isinstance(source, Mapping) else None)
    except UnreadableValue:
        expires_at = now + _TOKEN_LIFE
    return AccountToken(text=text, expires_at=expires_at)
