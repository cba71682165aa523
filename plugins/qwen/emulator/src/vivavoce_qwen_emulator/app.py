"""The service: which address was asked, and what is done in which order."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from vivavoce_qwen_emulator.checks import (
    Order,
    Refused,
    bearer_key,
    check_caller,
    find_model,
    find_realtime_model,
    is_own,
    parse_body,
    read_order,
)
from vivavoce_qwen_emulator.control import Armory, control_routes
from vivavoce_qwen_emulator.customization import Desk, action_of, find_manager, making_by
from vivavoce_qwen_emulator.faults import BadFault, Caller, Download, Fault, Kind, parse_fault
from vivavoce_qwen_emulator.journal import Journal, Received
from vivavoce_qwen_emulator.limits import RateLimiter
from vivavoce_qwen_emulator.realtime import RealtimeSession
from vivavoce_qwen_emulator.replies import (
    EVENT_STREAM,
    JSON,
    Event,
    Speech,
    dump,
    frame,
    plain_body,
    refuse,
    refuse_download,
    stream_events,
    usage_of,
    wav_header,
)
from vivavoce_qwen_emulator.script import (
    Connection,
    Reply,
    Script,
    Step,
    Wait,
    cut_connection,
    whole,
)
from vivavoce_qwen_emulator.settings import Settings
from vivavoce_qwen_emulator.signing import Signer
from vivavoce_qwen_emulator.speech import SAMPLE_RATE_HZ, Speaker
from vivavoce_qwen_emulator.voices import Account, VoiceStore, account_of

__all__ = ["BASE_PATH", "REALTIME_PATH", "Emulator"]

BASE_PATH = "/api/v1"
REALTIME_PATH = "/api-ws/v1/realtime"
_SYNTHESIS = f"{BASE_PATH}/services/aigc/multimodal-generation/generation"
_CUSTOMIZATION = f"{BASE_PATH}/services/audio/tts/customization"
_MAX_BODY_BYTES = 1 << 20
_MAX_CUSTOMIZATION_BYTES = 1 << 24
"""A recording above its own limit is still to be told so."""
_KEPT = 1_000
"""Addresses of finished audio that are remembered; the audio itself is spoken again."""


@dataclass(slots=True, kw_only=True)
class _Result:
    """What the address of finished audio stands for, and how often it was read."""

    order: Order
    fault: Fault
    reads: int = 0


class Emulator:
    """
    One emulated service of one region.

    Args:
        settings: How it behaves.
    """

    def __init__(self, settings: Settings) -> None:
        from vivavoce_qwen.tables import management

        self.settings = settings
        self.journal = Journal()
        self.armory = Armory()
        self.connections: Collection[Connection] = ()
        """The server's open connections; set by whoever serves :attr:`app`."""

        self.store = VoiceStore(
            settings.voices_path,
            clock=settings.clock,
            quota=settings.voice_quota,
            kept_days=min(row.unused_deleted_after_days for row in management().values()),
            seeds=settings.voices,
        )
        """The voices that were made."""

        self._speaker = Speaker()
        self._desk = Desk(settings, self.store, self._speaker.speak)
        self._limiter = RateLimiter(settings.rpm, settings.clock)
        self._signer = Signer(settings.url_lifetime_s, settings.clock)
        self._results: OrderedDict[str, _Result] = OrderedDict()
        self.app = Starlette(
            routes=[
                *control_routes(self.journal, self.armory, settings.region),
                Route(_SYNTHESIS, self._synthesize, methods=["POST"]),
                Route(_CUSTOMIZATION, self._customize, methods=["POST"]),
                WebSocketRoute(REALTIME_PATH, self._converse),
                Route("/results/{name}.wav", self._download),
                Route("/moved/results/{name}.wav", self._download),
                Route(
                    "/{path:path}",
                    self._elsewhere,
                    methods=["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
                ),
            ]
        )

    def close(self) -> None:
        """Free the engine and the file of voices. Harmless when repeated."""
        self._speaker.close()
        self.store.close()

    def account_of(self, key: str) -> Account:
        """Return whose voices those of *key* are."""
        return account_of(key, self.settings.region)

    async def _synthesize(self, request: Request) -> Reply:
        received, raw = await self._note(request)
        caller = Caller(
            key=bearer_key(request.headers),
            request_id=str(uuid.uuid4()),
            wants_stream=request.headers.get("x-dashscope-sse", "").lower() == "enable",
        )
        try:
            model = received.body.get("model") if isinstance(received.body, dict) else None
            kind: Kind = "stream" if caller.wants_stream else "plain"
            fault = self._choose_fault(request, model, kind)
        except BadFault as error:
            refused = Refused(400, "BadFault", str(error))
            return self._reply(refuse(refused, caller.request_id), received)
        received.fault = fault.name
        try:
            script = fault.instead(caller)
            if script is None:
                check_caller(request.headers, self.settings)
                account = self.account_of(caller.key)
                order = self._take_order(raw, account)
                script = await self._speak(order, account, fault, caller, request)
        except Refused as refused:
            script = refuse(refused, caller.request_id)
        return self._reply(fault.script(script), received)

    async def _customize(self, request: Request) -> Reply:
        received, raw = await self._note(request)
        caller = Caller(
            key=bearer_key(request.headers), request_id=str(uuid.uuid4()), wants_stream=False
        )
        model = received.body.get("model") if isinstance(received.body, dict) else None
        try:
            fault = self._choose_fault(request, model, "voices", action_of(received.body))
        except BadFault as error:
            refused = Refused(400, "BadFault", str(error))
            return self._reply(refuse(refused, caller.request_id), received)
        received.fault = fault.name
        try:
            script = fault.instead(caller)
            if script is None:
                check_caller(request.headers, self.settings)
                script = await run_in_threadpool(self._administer, raw, fault, caller)
        except Refused as refused:
            script = refuse(refused, caller.request_id)
        return self._reply(fault.script(script), received)

    def _administer(self, raw: bytes, fault: Fault, caller: Caller) -> Script:
        """Do to voices what is asked, and return how that is answered."""
        if len(raw) > _MAX_CUSTOMIZATION_BYTES:
            msg = f"The body is over {_MAX_CUSTOMIZATION_BYTES} bytes."
            raise Refused(413, "InvalidParameter", msg)
        body = parse_body(raw)
        row = find_manager(body, self.settings.region)
        self._admit(row.name, row.name, row.rpm)
        account, making = self.account_of(caller.key), making_by(row.name)
        if fault.deletes_voice and action_of(body) != "create":
            self._desk.delete(body, making, account)
        answer = self._desk.answer(body, row, account)
        if fault.deletes_voice and action_of(body) == "create":
            self._desk.delete({"input": answer["output"]}, making, account)
        told = dump({**fault.told(answer), "request_id": caller.request_id})
        script = whole(200, JSON, told, ("x-request-id", caller.request_id))
        return fault.done(script, caller)

    def _choose_fault(
        self, request: HTTPConnection, model: object, kind: Kind, action: str = ""
    ) -> Fault:
        header = request.headers.get("x-emulator-fault")
        if header is None:
            return self.armory.take(model, kind, action) or Fault()
        fault = parse_fault(header)
        if not fault.fits(kind):
            kinds: tuple[Kind, ...] = ("plain", "stream", "realtime", "voices")
            fitting = " or ".join(repr(other) for other in kinds if fault.fits(other))
            msg = f"The fault {fault.name!r} is for requests of the kind {fitting}, not {kind!r}."
            raise BadFault(msg)
        if not fault.fits_action(action):
            msg = f"The fault {fault.name!r} is for {' or '.join(fault.actions)}, not {action!r}."
            raise BadFault(msg)
        return fault

    def _take_order(self, raw: bytes, account: Account) -> Order:
        """Return what is asked for, once it is known that it may be asked for now."""
        if len(raw) > _MAX_BODY_BYTES:
            raise Refused(413, "InvalidParameter", f"The body is over {_MAX_BODY_BYTES} bytes.")
        body = parse_body(raw)
        model = find_model(body, self.settings.region)
        self._admit(model.alias_of or model.name, model.name, model.rpm)
        return read_order(body, model, self.settings.length_unit, partial(self.store.has, account))

    def _admit(self, group: str, name: str, rpm: int | None) -> None:
        if not self._limiter.admit(group, rpm):
            msg = f"There were too many requests for {name!r} this minute."
            raise Refused(429, "Throttling.RateQuota", msg)

    def _speak_for(self, account: Account, order: Order) -> bytes:
        """Return *order* spoken, which keeps its voice for another year."""
        if is_own(order.model):
            self.store.use(account, order.model.name, order.voice)
        return self._speaker.speak(order)

    async def _speak(
        self, order: Order, account: Account, fault: Fault, caller: Caller, request: Request
    ) -> Script:
        pcm = fault.spoken(await run_in_threadpool(self._speak_for, account, order))
        name = uuid.uuid4().hex
        self._results[name] = _Result(order=order, fault=fault)
        while len(self._results) > _KEPT:
            self._results.popitem(last=False)
        path, expires_at = f"/results/{name}.wav", self._signer.expires_at()
        # As the service does, even where it is asked over https.
        url = f"http://{request.url.netloc}{path}?{self._signer.query(path, expires_at)}"
        speech = Speech(
            request_id=caller.request_id,
            pcm=pcm,
            url=fault.address(url) if fault.gives_address else None,
            expires_at=expires_at,
            usage=usage_of(order, pcm),
        )
        identity = ("x-request-id", caller.request_id)
        if not caller.wants_stream:
            return whole(200, JSON, dump(plain_body(speech)), identity)
        events = fault.events(stream_events(speech, self.settings.chunk_bytes))
        return Script(
            headers=(("content-type", EVENT_STREAM), identity),
            steps=list(self._steps(events, fault)),
        )

    def _steps(self, events: Sequence[Event | Step], fault: Fault) -> Iterator[Step]:
        framing = fault.framing()
        is_real = self.settings.pace == "real"
        chunk_s = self.settings.chunk_bytes / (2 * SAMPLE_RATE_HZ)
        for index, event in enumerate(events):
            if not isinstance(event, Event):
                yield event
                continue
            if is_real and index:
                yield Wait(chunk_s)
            yield frame(event, framing)

    async def _download(self, request: Request) -> Reply:
        received, _ = await self._note(request)
        path = request.url.path.removeprefix("/moved")
        request_id = uuid.uuid4().hex.upper()
        verdict = self._signer.verdict(path, request.query_params)
        result = self._results.get(request.path_params["name"])
        if verdict == "forged":
            script = refuse_download(
                403, "SignatureDoesNotMatch", "The signature is not ours.", request_id
            )
        elif verdict == "expired":
            script = refuse_download(403, "AccessDenied", "The address has expired.", request_id)
        elif result is None:
            script = refuse_download(404, "NoSuchKey", "The audio is not kept.", request_id)
        else:
            result.reads += 1
            fault = result.fault if result.fault.spoils(result.reads) else Fault()
            received.fault = fault.name
            script = fault.instead_of_wav() or await self._hand_out(result.order, fault, request)
        return self._reply(script, received)

    async def _hand_out(self, order: Order, fault: Fault, request: Request) -> Script:
        pcm = fault.spoken(await run_in_threadpool(self._speaker.speak, order))
        return fault.download(
            Download(
                address=f"{request.url.path}?{request.url.query}",
                script=whole(200, "audio/wav", wav_header(len(pcm)) + pcm),
            )
        )

    async def _converse(self, socket: WebSocket) -> None:
        received = self.journal.note(
            "GET",
            socket.url.path,
            socket.query_params.multi_items(),
            socket.headers.items(),
            b"",
        )
        name = socket.query_params.get("model", "")
        caller = Caller(
            key=bearer_key(socket.headers), request_id=str(uuid.uuid4()), wants_stream=False
        )
        try:
            fault = self._choose_fault(socket, name, "realtime")
        except BadFault as error:
            refused = Refused(400, "BadFault", str(error))
            await self._refuse_handshake(socket, refuse(refused, caller.request_id), received)
            return
        received.fault = fault.name
        script = fault.instead(caller)
        if script is None:
            try:
                check_caller(socket.headers, self.settings)
            except Refused as refused:
                script = refuse(refused, caller.request_id)
        # An accepted handshake has neither steps nor a status of its own.
        changed = fault.script(script or Script())
        await asyncio.sleep(changed.delay_s)
        if script is not None:
            await self._refuse_handshake(socket, script, received)
            return
        received.status = 101
        await socket.accept(headers=[(b"x-request-id", caller.request_id.encode())])
        account = self.account_of(caller.key)
        await self._hold_session(socket, name, account, fault, received)

    async def _hold_session(
        self, socket: WebSocket, name: str, account: Account, fault: Fault, received: Received
    ) -> None:
        model = find_realtime_model(name, self.settings.region)
        if model and not self._limiter.admit(model.alias_of or model.name, model.rpm):
            await socket.close(1011, f"Too many requests for {name} this minute.")
            self.journal.end(received, "closed", 1011)
            return
        await RealtimeSession(
            socket,
            model=model,
            name=name,
            fault=fault,
            settings=self.settings,
            speak=partial(self._speak_for, account),
            has_own=partial(self.store.has, account),
            cut=lambda cut: cut_connection(self.connections, socket.scope, cut),
            journal=self.journal,
            received=received,
        ).run()

    async def _refuse_handshake(
        self, socket: WebSocket, script: Script, received: Received
    ) -> None:
        received.status = script.status
        body = b"".join(step for step in script.steps if isinstance(step, bytes))
        response = Response(body, script.status)
        response.raw_headers = [(name.encode(), value.encode()) for name, value in script.headers]
        await socket.send_denial_response(response)
        self.journal.end(received, "complete")

    async def _elsewhere(self, request: Request) -> Reply:
        received, _ = await self._note(request)
        msg = f"Nothing is served at {request.method} {request.url.path}."
        return self._reply(refuse(Refused(404, "NotFound", msg), str(uuid.uuid4())), received)

    async def _note(self, request: Request) -> tuple[Received, bytes]:
        raw = await request.body()
        received = self.journal.note(
            request.method,
            request.url.path,
            request.query_params.multi_items(),
            request.headers.items(),
            raw,
        )
        return received, raw

    def _reply(self, script: Script, received: Received) -> Reply:
        received.status = script.status
        return Reply(
            script,
            connections=lambda: self.connections,
            on_end=lambda how: self.journal.end(received, how),
        )
