"""`audit verify` follows the chain from its first line to its last; `audit copy` puts what is new into the bucket.

Both walk in stretches, because a read has an end and the trail has none.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

from commands.command import Part, Parts
from commands.finding import Finding, Light
from commands.model import Args, Gap, Inquiry, Section
from commands.phrase import counted
from commands.reads import AuditChain, AuditCopies, AuditCopy, AuditKept, AuditProgress, KeepAudit, Now
from commands.site import ClusterSite
from commands.wording import unread

_KEY = "AL-49"

# What the chain alone cannot tell, said beside every good result.
_LIMITS = (
    "The hash has no key: whoever may write to the bot's Redis can write the chain anew from some line on, or "
    "cut its end and set the count back. Against that stands the copy in the bucket, and only up to its last line."
)
_NO_BUCKET = "no bucket is configured, so nothing is copied"
_SET = "Set `backup.bucket`, and let nobody but the bot write there (versioning, Object Lock)."


def parts(args: Args, site: ClusterSite) -> Parts:
    if args.verb == "copy":
        return {"copy": Part("Copy of the audit trail", copy_inquiry())}
    return {"verify": Part("Is the audit trail whole?", verify_inquiry())}


# --- verify ---------------------------------------------------------------------------------------


def verify_inquiry() -> Inquiry:
    seen = yield (Now(), AuditCopies())
    now, copies = seen[Now()], seen[AuditCopies()]
    known = copies if isinstance(copies, tuple) else ()
    progress: AuditProgress | Gap = AuditProgress()
    while isinstance(progress, AuditProgress) and not progress.is_over:
        read = AuditChain(progress, known)
        seen = yield (read,)
        progress = seen[read]
    findings = (chain(progress), in_bucket(copies, now))
    return Section("verify", "Is the audit trail whole?", True, findings, note=_LIMITS)


def chain(found: AuditProgress | Gap) -> Finding:
    """Whether every line is there, unchanged and in its order."""
    if isinstance(found, Gap):
        return unread(_KEY, "Chain", found)
    wrong = tuple(faults(found))
    older = f"; {counted(found.older, 'line')} before it began bear no hash" if found.older else ""
    value = f"{counted(found.lines, 'line')}, the last is {found.seq} with hash {found.hash or 'none'}{older}"
    if not wrong:
        return Finding(_KEY, "Chain", Light.GREEN, value)
    return Finding(
        _KEY, "Chain", Light.RED, f"touched: {wrong[0]}", evidence=(*wrong, value),
        alarm=f"Somebody touched the audit trail: {wrong[0]}",
        mend="Keep the store as it is, compare with the copies in the bucket, and look who may write to Redis.",
    )  # fmt: skip


def faults(found: AuditProgress) -> Iterator[str]:
    """What does not hold, a sentence each; what was removed first."""
    for first, last in found.missing:
        yield f"line {first} is missing" if first == last else f"lines {first} to {last} are missing"
    for fault in found.faults:
        yield f"line {fault.seq}{f' ({fault.entry})' if fault.entry else ''} {fault.text}"
    if found.fault_count > len(found.faults):
        yield f"and {found.fault_count - len(found.faults):,} more"


def in_bucket(copies: tuple[AuditCopy, ...] | Gap | None, now: datetime | Gap) -> Finding:
    """What stands against a chain that was written anew."""
    if isinstance(copies, Gap):
        return unread(_KEY, "Copies", copies)
    if copies is None:
        return Finding(_KEY, "Copies", Light.YELLOW, _NO_BUCKET, mend=_SET)
    if not copies:
        return Finding(
            _KEY, "Copies", Light.YELLOW, "none yet; the next is made at night, or by `audit copy`"
        )
    last = copies[-1]
    value = f"{counted(len(copies), 'file')} compared, the last of {last.day} up to line {last.seq}"
    if isinstance(now, Gap) or date.fromisoformat(last.day) < now.date() - timedelta(days=1):
        return Finding(_KEY, "Copies", Light.YELLOW, value, "one a night")
    return Finding(_KEY, "Copies", Light.GREEN, value, "one a night")


# --- copy -----------------------------------------------------------------------------------------


def copy_inquiry() -> Inquiry:
    read, made = KeepAudit(), 0
    while True:
        seen = yield (read,)
        kept = seen[read]
        if not isinstance(kept, AuditKept) or not kept.is_new or kept.copy is None or any(faults(kept.found)):
            break
        made, read = made + 1, KeepAudit(after=kept.copy.seq)
    return Section("copy", "Copy of the audit trail", True, (copied(kept, made),))


def copied(kept: AuditKept | Gap | None, made: int) -> Finding:
    """made: how many files before the last answer."""
    if isinstance(kept, Gap):
        return Finding(_KEY, "Copy", Light.UNKNOWN, f"not made: {kept.reason}", mend=kept.mend)
    if kept is None:
        return Finding(_KEY, "Copy", Light.GREEN, _NO_BUCKET, mend=_SET)
    wrong = tuple(faults(kept.found))
    if wrong:
        alarm = f"Somebody touched the audit trail: {wrong[0]}"
        return Finding(_KEY, "Copy", Light.RED, f"touched: {wrong[0]}", evidence=wrong, alarm=alarm)
    if kept.copy is None:
        return Finding(_KEY, "Copy", Light.GREEN, "nothing to copy yet")
    made += kept.is_new
    what = counted(made, "new file") if made else "nothing new"
    return Finding(
        _KEY, "Copy", Light.GREEN, f"{what}; copied up to line {kept.copy.seq}, hash {kept.copy.hash}"
    )
