"""Names of the alarms, for whoever raises one."""

from __future__ import annotations

from typing import Final

# A person is needed
TAKEOVER_REQUESTED: Final = "takeover.requested"
TAKEOVER_UNANSWERED: Final = "takeover.unanswered"
DUTY_OVERDUE: Final = "duty.overdue"
# The way to the vehicle
LINK_LOST: Final = "link.lost"
LINK_DEGRADED: Final = "link.degraded"
TELEMETRY_STALE: Final = "telemetry.stale"
CLOCK_UNTRUSTED: Final = "clock.untrusted"
# Seeing and hearing
VIDEO_FROZEN: Final = "video.frozen"
VIDEO_LATE: Final = "video.late"
VIDEO_POOR: Final = "video.poor"
CAMERA_BLOCKED: Final = "camera.blocked"
AUDIO_LOST: Final = "audio.lost"
# Commands and control
COMMAND_LATE: Final = "command.late"
COMMAND_REFUSED: Final = "command.refused"
AUTHORITY_LOST: Final = "authority.lost"
DEADMAN_RELEASED: Final = "deadman.released"
# The vehicle
ODD_NEAR_EXIT: Final = "odd.near_exit"
ODD_EXIT: Final = "odd.exit"
MRM_OPERATING: Final = "mrm.operating"
MRM_FAILED: Final = "mrm.failed"
VEHICLE_STOPPED_IN_LANE: Final = "vehicle.stopped_in_lane"
VEHICLE_COLLISION: Final = "vehicle.collision"
ENERGY_LOW: Final = "energy.low"
GEOFENCE_LEFT: Final = "geofence.left"
# Bus
PASSENGER_STOP_BUTTON: Final = "passenger.stop_button"
PASSENGER_CALL: Final = "passenger.call"
DOOR_FAULT: Final = "door.fault"
# Field machines and robots
PERSON_NEAR_MACHINE: Final = "person.near_machine"
IMPLEMENT_FAULT: Final = "implement.fault"
ROBOT_GAS_DETECTED: Final = "robot.gas_detected"
# Sites
GATE_LEVEL_HIGH: Final = "gate.level_high"
GATE_LEVEL_RISING: Final = "gate.level_rising"
TRAP_TRIGGERED: Final = "trap.triggered"
WEARER_VITAL_ABNORMAL: Final = "wearer.vital_abnormal"
WEARER_SILENT: Final = "wearer.silent"
# The hub and its people
BROKER_DOWN: Final = "broker.down"
AUDIT_FAILED: Final = "audit.failed"
JOURNAL_FAILED: Final = "journal.failed"
RECORDER_GAP: Final = "recorder.gap"
STORAGE_LOW: Final = "storage.low"
SEAT_NOT_ARMED: Final = "seat.not_armed"
SUPERVISION_OVERLOAD: Final = "supervision.overload"
