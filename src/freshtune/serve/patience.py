"""How long, and how much, a connection may send before it has made a request: uvicorn alone would wait for ever."""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedHeaders(HttpToolsProtocol):
    """Closes a connection whose request line and headers do not come to their end in time, or grow without one."""

    header_seconds = 10.0
    header_bytes = 65_536

    _timer: asyncio.TimerHandle | None = None
    _received = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection begins: the first request is waited for."""
        super().connection_made(transport)
        self._await_headers()

    def data_received(self, data: bytes) -> None:
        """Bytes came: counted while headers are awaited."""
        if self._timer is not None:
            self._received += len(data)
            if self._received - len(data) > self.header_bytes:
                self._close()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._await_headers()

    def on_headers_complete(self) -> None:
        """Its headers are here; what follows is the body, which ``limits`` bounds."""
        self._heard()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._heard()
        super().connection_lost(exc)

    def _await_headers(self) -> None:
        if self._timer is None:
            self._received = 0
            self._timer = self.loop.call_later(self.header_seconds, self._close)

    def _heard(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        self._heard()
        if not self.transport.is_closing():
            self.transport.close()
