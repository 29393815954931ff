"""`alert ack`, `own`, `snooze`, `mark`: what people do about an alert, for who types rather than presses.

The desk itself carries these out (bot/care.py), because what they change is the bot's own record.
"""

from commands.command import Command, Flag

_ROWS = ("AL-51",)
_NAMES = "ALERT"  # its id, the beginning of it, or its name; left out in its thread

ACK = Command(
    word="alert",
    verbs=("ack",),
    summary="Take notice of an alert: it reminds nobody any more. In its thread the id may be left out.",
    rows=_ROWS,
    examples=("alert ack A1b2c3d4", "alert ack KubePodCrashLooping", "ack"),
    names=_NAMES,
    decides=True,
)
OWN = Command(
    word="alert",
    verbs=("own",),
    summary="Have an alert in hand, which takes notice of it too; or hand it over.",
    rows=_ROWS,
    examples=("alert own A1b2c3d4", "alert own A1b2c3d4 --to @U0ALICE0001"),
    flags=(Flag("to", "who has it from now on; me takes it over from somebody else", "@USER"),),
    names=_NAMES,
    decides=True,
)
SNOOZE = Command(
    word="alert",
    verbs=("snooze",),
    summary="No reminder of an alert for a while, half an hour when left out and 4 h at most.",
    rows=_ROWS,
    examples=("alert snooze A1b2c3d4", "alert snooze A1b2c3d4 --for 2h"),
    flags=(Flag("for", "for how long", "30m"),),
    names=_NAMES,
    decides=True,
)
MARK = Command(
    word="alert",
    verbs=("mark",),
    summary="Say what an alert was: actionable, informational or false-alarm. The last word counts.",
    rows=("AL-51", "AD-2.1"),
    examples=("alert mark A1b2c3d4 false-alarm", "alert mark actionable"),
    names="ALERT WORD",
    decides=True,
)
CARE = (ACK, OWN, SNOOZE, MARK)
