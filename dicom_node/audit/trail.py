"""The trail that the node writes while it works, and that never stops its work.

Messages go through a bounded queue to a thread of their own: a syslog server that
hangs must not make an association or a study wait. Where the queue is full, or a
message cannot be written, it is lost and counted, and the log says so once until
writing succeeds again. A process that is killed loses what is in the queue, mostly
nothing. Threads do not survive a fork: each process makes a trail of its own.
"""

from __future__ import annotations

import logging
import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from dicom_node.audit import codes, messages
from dicom_node.audit.messages import AuditSource, Did, Event, Outcome, Peer, Query
from dicom_node.audit.sinks import FileSink, Sink, SyslogSink
from dicom_node.config import Config
from dicom_node.logs import Action, about

log = logging.getLogger(__name__)

WAITING_MESSAGES = 10_000
"""About 20 MB."""
FLUSH_SECONDS = 5.0
"""How long stopping waits for what is in the queue."""
ALERT_SECONDS = 60.0
"""One alert for each peer in so long: nobody may turn the trail over by knocking."""
PEERS_REMEMBERED = 1000


@dataclass(slots=True)
class Trail:
    """What the parts of the node report to. Without a sink it keeps nothing."""

    source: AuditSource
    sink: Sink | None = None
    seconds: Callable[[], float] = time.monotonic
    _queue: queue.Queue[bytes | None] = field(init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _lost: int = field(default=0, init=False)
    _alerted: dict[str, float] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self._queue = queue.Queue(WAITING_MESSAGES)
        if self.sink is not None:
            self._thread = threading.Thread(
                target=self._write_all, args=(self.sink,), name="audit", daemon=True
            )
            self._thread.start()

    def started(self) -> None:
        """Say that the application works."""
        self._put(lambda at: messages.application_activity(self.source, at, start=True))

    def stopped(self) -> None:
        """Say that it ends, and wait a moment for what is still to be written."""
        self._put(
            lambda at: messages.application_activity(self.source, at, start=False)
        )
        if self._thread is None:
            return
        try:
            self._queue.put(None, timeout=FLUSH_SECONDS)
        except queue.Full:
            return
        self._thread.join(FLUSH_SECONDS)

    def refused(self, peer: Peer, why: str) -> None:
        """Say that somebody was not let in."""
        if self._may_alert(peer.address):
            self._put(lambda at: messages.node_refused(self.source, at, peer, why))

    def received(
        self, did: Did, peer: Peer, study: str, instances: Mapping[str, int]
    ) -> None:
        """Say that instances came and were filed: new, known already, or changed."""
        self._put(
            lambda at: messages.instances_received(
                self.source, (did, at), peer, study, instances
            )
        )

    def graded(self, study: str, made: Mapping[str, int]) -> None:
        """Say that a study was read, graded, and reported in these objects."""
        self._put(lambda at: messages.instances_accessed(self.source, at, study, made))

    def sent(self, peer: Peer, study: str, sop_class_uid: str, refusal: str) -> None:
        """Say that a destination took an object, or refused it for good."""
        outcome = Outcome.SERIOUS_FAILURE if refusal else Outcome.SUCCESS
        self._put(
            lambda at: messages.instances_sent(
                self.source,
                Event(
                    codes.INSTANCES_TRANSFERRED,
                    Did.READ,
                    at,
                    outcome,
                    said=refusal,
                ),
                peer,
                study,
                {sop_class_uid: 1},
            )
        )

    def queried(self, peer: Peer, query: Query, failure: str) -> None:
        """Say that a peer was asked, and that it failed where it did."""
        event = _asked(codes.QUERY, failure)
        self._put(lambda at: messages.query_issued(self.source, event(at), peer, query))

    def had_sent(self, peer: Peer, study: str, failure: str) -> None:
        """Say that a peer was told to send to us what it has of a study."""
        event = _asked(codes.BEGIN_TRANSFERRING, failure)
        self._put(
            lambda at: messages.transfer_begun(self.source, event(at), peer, study)
        )

    def deleted(self, study: str) -> None:
        """Say that the received files of a study were removed."""
        self._put(lambda at: messages.study_deleted(self.source, at, study))

    def _put(self, build: Callable[[datetime], bytes]) -> None:
        if self.sink is None:
            return
        try:
            self._queue.put_nowait(build(datetime.now(UTC)))
        except queue.Full:
            self._lose()

    def _may_alert(self, address: str) -> bool:
        now = self.seconds()
        with self._lock:
            last = self._alerted.get(address)
            if last is not None and now - last < ALERT_SECONDS:
                return False
            if len(self._alerted) >= PEERS_REMEMBERED:
                self._alerted.clear()
            self._alerted[address] = now
            return True

    def _write_all(self, sink: Sink) -> None:
        while (message := self._queue.get()) is not None:
            try:
                sink.write(message)
            except OSError as error:
                self._lose(error)
            else:
                self._found()
        sink.close()

    def _lose(self, error: OSError | None = None) -> None:
        with self._lock:
            self._lost += 1
            first = self._lost == 1
        if first:
            log.error(
                "audit messages are lost: %s; receiving and grading go on",
                error.strerror if error else "the sink does not keep up",
                extra=about(Action.AUDIT_LOST),
            )

    def _found(self) -> None:
        with self._lock:
            lost, self._lost = self._lost, 0
        if lost:
            log.warning(
                "the audit trail is written again; %d messages were lost",
                lost,
                extra=about(Action.AUDIT_LOST),
            )


def _asked(code: codes.Code, failure: str) -> Callable[[datetime], Event]:
    """Return the event of a question; a minor failure, since nothing hangs on it."""
    outcome = Outcome.MINOR_FAILURE if failure else Outcome.SUCCESS
    return lambda at: Event(code, Did.EXECUTE, at, outcome, said=failure)


def trail_of(config: Config, role: str) -> Trail:
    """Return the trail that the configuration asks for, for one role's process."""
    host = socket.gethostname()
    source = AuditSource(
        ae_title=config.node.ae_title,
        process_id=os.getpid(),
        host=host,
        source_id=config.audit.source_id or config.node.ae_title,
    )
    return Trail(source, _sink(config, role, host))


def silent(ae_title: str = "") -> Trail:
    """Return a trail that keeps nothing."""
    return Trail(AuditSource(ae_title, os.getpid(), "", ae_title))


def _sink(config: Config, role: str, host: str) -> Sink | None:
    audit = config.audit
    if audit.to == "off":
        return None
    if audit.to == "file":
        path = audit_file(config.node.data_directory, role)
        return FileSink(path, audit.max_file_mb << 20, audit.files)
    protocol = audit.to.removeprefix("syslog-")
    return SyslogSink(protocol, audit.address, host, "lumbar-node")


def audit_file(data_directory: Path, role: str) -> Path:
    """Return the file of one role: ``audit-receive.xml`` or ``audit-work.xml``."""
    return data_directory / f"audit-{role}.xml"
