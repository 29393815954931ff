"""Ages as kubectl prints them: `45s`, `3m12s`, `5h`, `2d3h`. Pure; follows HumanDuration of apimachinery."""

from __future__ import annotations


def human(seconds: float) -> str:
    if seconds <= -2:
        return "<invalid>"
    total = max(int(seconds), 0)
    minutes, hours, days = total // 60, total // 3600, total // 86400
    if total < 120:
        return f"{total}s"
    if minutes < 10:
        return _two(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    if hours < 192:
        return _two(days, "d", hours % 24, "h")
    if days < 730:
        return f"{days}d"
    if days < 2920:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(major: int, unit: str, minor: int, smaller: str) -> str:
    return f"{major}{unit}{minor}{smaller}" if minor else f"{major}{unit}"
