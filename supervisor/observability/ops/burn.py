"""Error budgets of the objectives: recording rules, and alerts over two windows each.

The hub counts good, bad and doubtful samples and tells how many may be bad, so that these
rules hold for any configuration. *Burn 1* uses up exactly what is allowed; an alert needs
a high burn over a long window (it matters) and a short one (it still goes on), after Beyer
et al., The Site Reliability Workbook, chapter 5. Worked: of an objective with share 0.99,
burn 14.4 over an hour is 14.4 % bad samples, and uses 2 % of a 30-day budget.

Two differences. Where much is allowed (share 0.9: a tenth) burn can never be 14.4, so
`MOST_BAD` of all samples is always enough. And with fewer than `LEAST` samples in the long
window nobody is called: three bad samples of three prove nothing.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from supervisor.observability.ops.alerts import Alert, Severity, Text

MOST_BAD: Final = 0.8
LEAST: Final = 1000
"""Samples; telemetry of one vehicle brings them in 100 s, one watched camera in about 40."""
BY: Final = "sum by (site, objective)"


class Pair(NamedTuple):
    """Two windows and the burn that both must exceed."""

    long: str
    short: str
    burn: float
    lasting: str
    severity: Severity


PAIRS: Final = (
    Pair("1h", "5m", 14.4, "2m", "critical"),
    Pair("6h", "30m", 6.0, "15m", "critical"),
    Pair("1d", "2h", 3.0, "1h", "warning"),
    Pair("3d", "6h", 1.0, "3h", "warning"),
)
WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")

_FAST: Final = (
    Text(
        "{{ $labels.site }} の目標 {{ $labels.objective }} が急速に悪化",
        '目標を外れた割合が許容の {{ $value | printf "%.1f" }} 倍です。',
    ),
    Text(
        "Objective {{ $labels.objective }} of {{ $labels.site }} is failing fast",
        'The share of bad samples is {{ $value | printf "%.1f" }} times what is allowed.',
    ),
)
_SLOW: Final = (
    Text(
        "{{ $labels.site }} の目標 {{ $labels.objective }} を守れない見込み",
        '目標を外れた割合が許容の {{ $value | printf "%.1f" }} 倍で続いています。',
    ),
    Text(
        "Objective {{ $labels.objective }} of {{ $labels.site }} will not be kept",
        'The share of bad samples stays at {{ $value | printf "%.1f" }} times what is allowed.',
    ),
)


def recording() -> list[dict[str, str]]:
    """Return the recording rules."""
    allowed = "max by (objective) (enkan_objective_allowed_ratio)"
    found = [{"record": "enkan:objective_burn:most", "expr": f"{MOST_BAD} / {allowed}"}]
    for window in WINDOWS:
        bad = f'{BY} (rate(enkan_objective_samples_total{{result="bad"}}[{window}]))'
        samples = f"({BY} (rate(enkan_objective_samples_total[{window}])) > 0)"
        found.append(
            {
                "record": f"enkan:objective_burn:rate{window}",
                "expr": f"{bad}\n/ {samples}\n/ on (objective) group_left () {allowed}",
            }
        )
    for pair in PAIRS:
        found.append(
            {
                "record": f"enkan:objective_samples:increase{pair.long}",
                "expr": f"{BY} (increase(enkan_objective_samples_total[{pair.long}]))",
            }
        )
    return found


def alerts() -> list[Alert]:
    """Return one alert for each pair of windows."""
    found = []
    for pair in PAIRS:
        limit = f"on (objective) group_left () clamp_max(enkan:objective_burn:most, {pair.burn})"
        both = [f"enkan:objective_burn:rate{w} > {limit}" for w in (pair.long, pair.short)]
        enough = f"enkan:objective_samples:increase{pair.long} >= {LEAST}"
        fast = pair.severity == "critical"
        ja, en = _FAST if fast else _SLOW
        found.append(
            Alert(
                name="EnkanObjectiveBurnsFast" if fast else "EnkanObjectiveBurnsSlowly",
                severity=pair.severity,
                expr="\nand on (site, objective)\n".join([*both, enough]),
                lasting=pair.lasting,
                page="objective-burns",
                ja=ja,
                en=en,
                labels=(("window", pair.long),),
            )
        )
    return found
