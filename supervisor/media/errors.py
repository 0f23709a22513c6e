"""What can go wrong in the media plane beside malformed input."""

from __future__ import annotations


class MediaError(Exception):
    """The media plane cannot start. The text says what, why and what to do."""


class UnavailableError(Exception):
    """No worker can take a session now; try again in a second."""


class WorkerLostError(UnavailableError):
    """The worker ended before it had taken the session; another try may find the next one."""


class NotPublishingError(Exception):
    """The vehicle has no connected publisher."""
