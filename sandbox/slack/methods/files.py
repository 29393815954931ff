"""files.*: the external upload in three steps, what is known of a file, and its end."""

from __future__ import annotations

import mimetypes
from typing import Any

from sandbox.slack import happenings, limits, shapes
from sandbox.slack.call import Call, Method, Methods
from sandbox.slack.rates import TIER_3, TIER_4
from sandbox.slack.workspace import Channel, File, Json, SlackError

SNIPPET_BYTES = 1_048_576
ALT_TEXT = 1000
SHARES = 100


def get_upload_url(call: Call) -> Json:
    length = call.number("length", 0)
    if length <= 0:
        raise limits.invalid_arguments("must be greater than 0 [json-pointer:/length]")
    if call.has("snippet_type") and length > SNIPPET_BYTES:
        raise SlackError("snippet_too_large")
    if len(call.text("alt_txt")) > ALT_TEXT:
        raise SlackError("alt_txt_too_large")
    workspace = call.workspace
    name = call.text("filename")
    file = File(
        id=workspace.new_id("F"),
        name=name,
        title=name,
        length=length,
        user=call.bot_id,
        created=workspace.seconds(),
        ticket=workspace.secret("upload"),
        mimetype=mimetypes.guess_type(name)[0] or "text/plain",
        alt_txt=call.text("alt_txt"),
    )
    with workspace.change("file", file=file.id):
        workspace.files[file.id] = file
    return {"upload_url": f"{workspace.base_url}/upload/v1/{file.ticket}", "file_id": file.id}


def complete_upload(call: Call) -> Json:
    wanted = call.structure("files", "invalid_arguments")
    if not isinstance(wanted, list) or not wanted:
        raise limits.invalid_arguments("must be an array [json-pointer:/files]")
    files = [_uploaded(call, item) for item in wanted]
    channels = _shared_to(call)
    for file, item in zip(files, wanted, strict=True):
        file.title = str(item.get("title") or file.name)
        file.completed = True
    for channel in channels:
        _share(call, channel, files)
    # The full objects come with files.info; here only these two (docs.slack.dev). Slack shares later than
    # it answers, and the ts of the message is not in the answer; the stand-in keeps the ts out of it too.
    return {"files": [{"id": file.id, "title": file.title} for file in files]}


def _uploaded(call: Call, item: Any) -> File:
    file = call.workspace.files.get(str(item.get("id"))) if isinstance(item, dict) else None
    if file is None or file.content is None or file.completed:
        raise SlackError("file_not_found")
    return file


def _shared_to(call: Call) -> list[Channel]:
    ids = call.names("channels") or call.names("channel_id")
    if len(ids) > SHARES:
        raise SlackError("channels_limit_exceeded")
    channels = []
    for channel_id in ids:
        channel = call.workspace.channels.get(channel_id)
        if channel is None or (channel.is_private and call.bot_id not in channel.members):
            raise SlackError("channel_not_found")
        if call.bot_id not in channel.members:
            raise SlackError("not_in_channel")
        channels.append(channel)
    return channels


def _share(call: Call, channel: Channel, files: list[File]) -> None:
    told: Json = {
        "blocks": limits.message_blocks(call.structure("blocks", "invalid_blocks")),
        "thread_ts": call.text("thread_ts") or None,
    }
    text = call.text("initial_comment")
    call.announce(*happenings.share(call.workspace, channel, files, call.bot_id, text, **told)[1])


def info(call: Call) -> Json:
    file = _file(call)
    return {"file": shapes.file(call.workspace, file), "comments": []}


def delete(call: Call) -> Json:
    file = _file(call)
    if file.user != call.bot_id:
        raise SlackError("cant_delete_file")
    with call.workspace.change("file", file=file.id):
        file.deleted = True
        file.content = None
    return {}


def _file(call: Call) -> File:
    file = call.workspace.files.get(call.text("file"))
    if file is None or not file.completed or not call.workspace.bot_sees(file):
        raise SlackError("file_not_found")
    if file.deleted:
        raise SlackError("file_deleted")
    return file


_FILES = ("files:write",)

METHODS: Methods = {
    "files.getUploadURLExternal": Method(
        get_upload_url, TIER_4, _FILES, ("filename", "length"), takes_json=False
    ),
    "files.completeUploadExternal": Method(complete_upload, TIER_4, _FILES, ("files",)),
    "files.info": Method(info, TIER_4, ("files:read",), ("file",), takes_json=False),
    "files.delete": Method(delete, TIER_3, _FILES, ("file",)),
}
