"""Bounded load on one gateway: so many clients that ask one question after another until they are told to stop or the
gateway is gone. Each remembers of every request what a careful application would: its own mark, the request id once
the headers came, and whether the answer was whole."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass

from rig import Gateway

#: What ends a whole stream in each dialect.
TERMINATORS = {"/v1/chat/completions": b"data: [DONE]", "/v1/messages": b"event: message_stop"}

#: Path, model, streamed: both client dialects, both provider dialects.
KINDS = [
    ("/v1/chat/completions", "openai/gpt-4.1", True),
    ("/v1/chat/completions", "anthropic/claude-sonnet-4-5", False),
    ("/v1/messages", "openai/gpt-4.1", False),
    ("/v1/messages", "anthropic/claude-sonnet-4-5", True),
]


@dataclass
class Sent:
    """One request as its client saw it."""

    mark: str
    stream: bool
    request_id: str | None = None
    status: int | None = None
    #: The client holds the whole answer: the gateway has acknowledged the request.
    whole: bool = False


class Load:
    """Clients in threads of their own; `stop` returns what all of them sent."""

    def __init__(self, gateway: Gateway, clients: int, name: str, most: int = 400) -> None:
        self._port = gateway.port
        self._name = name
        self._most = most
        self._over = threading.Event()
        self._sent: list[list[Sent]] = [[] for _ in range(clients)]
        self._threads = [threading.Thread(target=self._client, args=(n,), daemon=True) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> list[Sent]:
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"
        return [sent for client in self._sent for sent in client]

    def _client(self, number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        for turn in range(self._most):
            if self._over.is_set():
                break
            path, model, stream = KINDS[(number + turn) % len(KINDS)]
            sent = Sent(mark=f"mark-{self._name}-{number}-{turn}", stream=stream)
            self._sent[number].append(sent)
            try:
                self._ask(connection, path, model, sent)
            except (OSError, http.client.HTTPException):
                # The gateway is gone, and with it this client's reason to go on.
                break
        connection.close()

    @staticmethod
    def _ask(connection: http.client.HTTPConnection, path: str, model: str, sent: Sent) -> None:
        body = {
            "model": model,
            "max_tokens": 200,
            "stream": sent.stream,
            "messages": [{"role": "user", "content": f"{sent.mark} please"}],
        }
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        sent.request_id = response.headers["x-pointsman-request-id"]
        sent.status = response.status
        text = response.read()
        sent.whole = response.status == 200 and (not sent.stream or TERMINATORS[path] in text)
