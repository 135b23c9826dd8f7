"""Child processes that may hang or die, and the frames between them and us.

What reads bytes from the wire, or works on the GPU, can loop for ever, ask for all
memory, or be ended by the kernel. It is done by a child that is killed and replaced.

Parent and child exchange typed messages in MessagePack over one socket, which is the
child's standard input. Nothing is pickled: a child that a file has taken over can
say nothing but what its types allow. A child says that it has heard a question before
it does anything about it: what ends it earlier is not the question's fault.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from dicom_node.errors import ChildDied, ChildGone, ChildHung

Question = TypeVar("Question")
Answer = TypeVar("Answer")

MAX_FRAME_BYTES = 256 << 20
"""A study's grades are under a megabyte; a length beyond this is no length."""
END_SECONDS = 10.0
"""A process that the kernel cannot end within this (a driver holds it) is left."""
LAST_WORD_SECONDS = 10.0
"""How long a child that closed its socket may take to end by itself."""
FIRST_VICTIM = "500"
"""Added to the out-of-memory score: the kernel takes the child, not the parent."""
LENGTH = struct.Struct(">I")
HEARD = b""
"""A frame that no message has: the question was received, and is understood."""


class Nonsense(EOFError):
    """What came is no message: nothing that follows it can be understood."""


@dataclass(frozen=True, slots=True)
class Link:
    """One end of the socket between parent and child."""

    connection: socket.socket

    def send(self, message: object, until: float | None = None) -> None:
        """Send one message.

        Raises
        ------
        TimeoutError
            It did not go out before ``until`` on the monotonic clock.
        OSError
            The other end is gone.
        """
        self._send_frame(encoded(message), until)

    def say_heard(self) -> None:
        """Tell the other end that its message is here and understood."""
        self._send_frame(HEARD, None)

    def await_heard(self, until: float) -> None:
        """Wait until the other end has heard the last message; raises as `receive`."""
        if self.receive(until) != HEARD:
            raise Nonsense("the other end answers what it has not heard")

    def _send_frame(self, frame: bytes, until: float | None) -> None:
        self._wait_until(until)
        self.connection.sendall(LENGTH.pack(len(frame)) + frame)

    def receive(self, until: float | None = None) -> bytes:
        """Return one encoded message.

        Raises
        ------
        TimeoutError
            It was not here before ``until`` on the monotonic clock.
        EOFError
            The other end is gone, or sends what is no message.
        """
        (length,) = LENGTH.unpack(self._exactly(LENGTH.size, until))
        if length > MAX_FRAME_BYTES:
            raise Nonsense(f"a message of {length} bytes: the other end has gone mad")
        return self._exactly(length, until)

    def _exactly(self, count: int, until: float | None) -> bytes:
        content = bytearray()
        while len(content) < count:
            self._wait_until(until)
            try:
                part = self.connection.recv(min(count - len(content), 1 << 20))
            except ConnectionError as error:
                raise EOFError("the other end is gone") from error
            if not part:
                raise EOFError("the other end is gone")
            content += part
        return bytes(content)

    def _wait_until(self, until: float | None) -> None:
        if until is None:
            return
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.connection.settimeout(left)


def encoded(message: object) -> bytes:
    """Return a message in MessagePack; odd text in it is escaped, never refused."""
    try:
        return msgspec.msgpack.encode(message, enc_hook=_plain)
    except UnicodeEncodeError:
        # Text from a header may hold lone surrogates, which no UTF-8 can carry.
        return msgspec.msgpack.encode(
            _escaped(msgspec.to_builtins(message, enc_hook=_plain))
        )


def _plain(value: object) -> object:
    """Turn pydicom's kinds of text, and numpy's kinds of number, into Python's."""
    if isinstance(value, str):
        return "".join(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    raise NotImplementedError(f"{type(value).__name__} cannot be sent to a process")


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_escaped(key): _escaped(it) for key, it in value.items()}
    return [_escaped(it) for it in value] if isinstance(value, list) else value


@dataclass(slots=True)
class Child(Generic[Answer]):
    """A child process that answers questions, one at a time.

    It is started by the first question, and by the first after it was ended.
    """

    words: tuple[str, ...]
    """What the interpreter is told to run: ``-m`` and a module, with arguments."""
    answers: msgspec.msgpack.Decoder[Answer]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _link: Link | None = field(default=None, init=False)

    @property
    def running(self) -> bool:
        """False before the first question, and once the child has ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def process_id(self) -> int | None:
        """The child's process number, None where none runs."""
        return self._process.pid if self._process else None

    def ask(self, question: object, seconds: float, *, start: bool = True) -> Answer:
        """Return the child's answer.

        With ``start=False`` a child that has ended is not replaced: it was told
        something before, which the next one would not know.

        Raises
        ------
        ChildHung
            There was none within so many seconds; the child is killed.
        ChildGone
            The child ended, or had ended, before it heard the question.
        ChildDied
            The child ended instead, or answered what is no answer.
        """
        link = self._started() if start else self._link
        if link is None or not (start or self.running):
            raise ChildGone(f"its process {self._end()}")
        until = time.monotonic() + seconds
        heard = False
        try:
            link.send(question, until)
            link.await_heard(until)
            heard = True
            return self.answers.decode(link.receive(until))
        except TimeoutError as error:
            self.close()
            raise ChildHung(f"it took more than {seconds:.0f} seconds") from error
        except (Nonsense, msgspec.DecodeError) as error:
            self.close()  # it lives, and will not end by itself
            raise ChildDied("its process answered nonsense") from error
        except (EOFError, OSError) as error:
            kind = ChildDied if heard else ChildGone
            raise kind(f"its process {self._end()}") from error

    def close(self) -> None:
        """End the child, whatever it is doing."""
        process, self._process = self._process, None
        link, self._link = self._link, None
        if link is not None:
            link.connection.close()
        if process is not None:
            process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_SECONDS)

    def _end(self) -> str:
        """End the child and return how it ended, for people."""
        process = self._process
        with contextlib.suppress(subprocess.TimeoutExpired):
            if process is not None:
                process.wait(LAST_WORD_SECONDS)
        status = process.returncode if process is not None else None
        self.close()
        if status is None:
            return "fell silent"
        if status < 0:
            return f"was ended by {signal.Signals(-status).name}"
        return f"ended with status {status}"

    def _started(self) -> Link:
        if self._link is None or not self.running:
            self.close()
            ours, theirs = socket.socketpair()
            with theirs:
                try:
                    # A fresh interpreter: a fork would carry locks and the GPU.
                    self._process = subprocess.Popen(  # noqa: S603
                        [sys.executable, *self.words], stdin=theirs.fileno()
                    )
                except OSError:
                    ours.close()
                    raise
            self._link = Link(ours)
        return self._link


def parent() -> Link:
    """Return the link to the parent, and end this process when the parent is gone."""
    # Stopping the service signals the whole group; the parent ends this child.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(FIRST_VICTIM, encoding="ascii")
    connection = socket.socket(fileno=os.dup(sys.stdin.fileno()))
    threading.Thread(
        target=_end_with_parent, args=(connection.fileno(),), daemon=True
    ).start()
    return Link(connection)


def _end_with_parent(descriptor: int) -> None:
    """Leave no orphan that holds the GPU: a parent that was killed tells nobody."""
    poller = select.poll()
    poller.register(descriptor, 0)  # a hang-up is reported unasked
    poller.poll()
    os._exit(1)


def serve(
    link: Link,
    questions: msgspec.msgpack.Decoder[Question],
    answer: Callable[[Question], object],
) -> None:
    """Answer the parent's questions for as long as it is there."""
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            question = questions.decode(link.receive())
            link.say_heard()
            link.send(answer(question))
