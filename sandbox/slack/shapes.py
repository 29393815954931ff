"""How Slack writes its objects as JSON: users, conversations, messages, files, views.

Key sets follow slackapi/java-slack-sdk json-logs (samples of real answers) and docs.slack.dev. Pure
functions of the workspace; they never change it.
"""

from __future__ import annotations

import copy
import struct

from sandbox.slack.workspace import (
    Bookmark,
    Channel,
    Ephemeral,
    File,
    Json,
    Message,
    Pin,
    User,
    Usergroup,
    View,
    Workspace,
)


def user(workspace: Workspace, person: User, *, with_email: bool) -> Json:
    profile: Json = {
        "title": "",
        "phone": "",
        "skype": "",
        "real_name": person.real_name,
        "real_name_normalized": person.real_name,
        "display_name": person.name,
        "display_name_normalized": person.name,
        "status_text": "",
        "status_emoji": "",
        "status_expiration": 0,
        "avatar_hash": "g0000000000",
        "team": person.team_id,
    }
    if person.is_bot:
        profile |= {"api_app_id": workspace.app_id, "always_active": True, "bot_id": person.bot_id}
    elif with_email and not person.is_stranger:
        profile["email"] = person.email
    described: Json = {
        "id": person.id,
        "team_id": person.team_id,
        "name": person.name,
        "deleted": person.deleted,
        "profile": profile,
        "is_bot": person.is_bot,
        "is_app_user": False,
        "updated": 1700000000,
    }
    if person.is_stranger:
        described["is_stranger"] = True
    if not person.deleted:  # Slack leaves these out for deactivated people
        described |= {
            "color": "9f69e7",
            "real_name": person.real_name,
            "tz": person.tz,
            "tz_label": person.tz,
            "tz_offset": 0,
            "is_admin": person.is_admin,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": person.is_restricted,
            "is_ultra_restricted": person.is_ultra_restricted,
        }
    return described


def usergroup(workspace: Workspace, group: Usergroup, *, include_users: bool, include_count: bool) -> Json:
    described: Json = {
        "id": group.id,
        "team_id": workspace.team_id,
        "is_usergroup": True,
        "is_subteam": True,
        "name": group.name,
        "description": "",
        "handle": group.handle,
        "is_external": False,
        "date_create": group.created,
        "date_update": group.created,
        "date_delete": 0,
        "auto_type": None,
        "auto_provision": False,
        "enterprise_subteam_id": "",
        "created_by": next(iter(group.users), workspace.bot_user_id),
        "updated_by": next(iter(group.users), workspace.bot_user_id),
        "deleted_by": None,
        "prefs": {"channels": [], "groups": []},
    }
    if include_users:
        described["users"] = list(group.users)
    if include_count:
        described["user_count"] = len(group.users)
    return described


def conversation(workspace: Workspace, channel: Channel, *, membership: bool = True) -> Json:
    if channel.kind == "im":
        other = next((m for m in channel.members if m != workspace.bot_user_id), workspace.bot_user_id)
        return {
            "id": channel.id,
            "created": channel.created,
            "is_archived": channel.is_archived,
            "is_im": True,
            "is_org_shared": False,
            "user": other,
            "is_user_deleted": workspace.users[other].deleted,
            "priority": 0,
        }
    described: Json = {
        "id": channel.id,
        "name": channel.name,
        "is_channel": channel.kind == "public",
        "is_group": channel.kind == "private",
        "is_im": False,
        "is_mpim": channel.kind == "mpim",
        "is_private": channel.is_private,
        "created": channel.created,
        "is_archived": channel.is_archived,
        "is_general": channel.is_general,
        "unlinked": 0,
        "name_normalized": channel.name,
        "is_shared": channel.is_ext_shared,
        "is_org_shared": False,
        "is_pending_ext_shared": False,
        "pending_shared": [],
        "context_team_id": workspace.team_id,
        "updated": channel.created * 1000,
        "creator": channel.creator,
        "is_ext_shared": channel.is_ext_shared,
        "shared_team_ids": [workspace.team_id],
        "pending_connected_team_ids": [],
        "topic": _dated(channel.topic, channel.topic_set),
        "purpose": _dated(channel.purpose, channel.purpose_set),
        "previous_names": list(channel.previous_names),
    }
    if membership:
        described["is_member"] = workspace.bot_user_id in channel.members
    return described


def _dated(value: str, last_set: tuple[str, int]) -> Json:
    return {"value": value, "creator": last_set[0], "last_set": last_set[1]}


def bot_profile(workspace: Workspace) -> Json:
    return {
        "id": workspace.bot.bot_id,
        "app_id": workspace.app_id,
        "user_id": workspace.bot_user_id,
        "name": workspace.bot.real_name,
        "icons": {"image_36": "", "image_48": "", "image_72": ""},
        "deleted": False,
        "updated": 1700000000,
        "team_id": workspace.team_id,
    }


def message(workspace: Workspace, item: Message, *, include_metadata: bool = False) -> Json:
    author = workspace.users.get(item.user)
    described: Json = {"type": "message", "text": item.text, "ts": item.ts, **item.details}
    if item.user:
        described["user"] = item.user
    if item.subtype or item.is_broadcast:
        described["subtype"] = item.subtype or "thread_broadcast"
    if author is not None:
        described["team"] = author.team_id
    if author is not None and author.is_bot and item.subtype is None:
        described |= {
            "bot_id": author.bot_id,
            "app_id": workspace.app_id,
            "bot_profile": bot_profile(workspace),
        }
    if item.files:
        described |= {"upload": False, "display_as_bot": False}
    optional: Json = {
        "bot_id": item.bot_id,
        "client_msg_id": item.client_msg_id,
        "username": item.username,
        "icons": item.icons,
        "blocks": item.blocks,
        "attachments": item.attachments,
        "edited": item.edited,
        "files": [file(workspace, workspace.files[f]) for f in item.files],
        "metadata": item.metadata if include_metadata else None,
        "reactions": _reactions(item),
        "pinned_to": _pinned_to(workspace, item),
        "hidden": item.subtype == "tombstone",
    }
    described |= {key: copy.deepcopy(value) for key, value in optional.items() if value}
    return described | _thread_fields(workspace, item)


def permalink(workspace: Workspace, item: Message) -> str:
    link = f"https://{workspace.domain}.slack.com/archives/{item.channel}/p{item.ts.replace('.', '')}"
    return f"{link}?thread_ts={item.thread_ts}&cid={item.channel}" if item.is_reply else link


def pin(workspace: Workspace, channel: Channel, item: Message, pinned: Pin) -> Json:
    described = message(workspace, item)
    return {
        "type": "message",
        "channel": channel.id,
        "created": pinned.created,
        "created_by": pinned.by,
        "message": {**described, "permalink": permalink(workspace, item)},
    }


def _reactions(item: Message) -> list[Json]:
    return [
        {"name": name, "users": list(users), "count": len(users)} for name, users in item.reactions.items()
    ]


def _pinned_to(workspace: Workspace, item: Message) -> list[str]:
    pins = workspace.channels[item.channel].pins
    return [item.channel] if any(pin.ts == item.ts for pin in pins) else []


def _thread_fields(workspace: Workspace, item: Message) -> Json:
    channel = workspace.channels[item.channel]
    if item.is_reply:
        fields: Json = {"thread_ts": item.thread_ts}
        parent = channel.messages.get(item.thread_ts or "")
        if parent is not None:
            fields["parent_user_id"] = parent.user
            if item.is_broadcast:
                fields["root"] = message(workspace, parent)
        return fields
    replies = channel.thread(item.ts)[1:]
    if not replies and item.subtype != "tombstone":
        return {}
    repliers = list(dict.fromkeys(reply.user for reply in replies))
    return {
        "thread_ts": item.ts,
        "reply_count": len(replies),
        "reply_users_count": len(repliers),
        "latest_reply": replies[-1].ts if replies else "0000000000.000000",
        "reply_users": repliers,
        "is_locked": False,
        "subscribed": workspace.bot_user_id in (item.user, *repliers),
    }


def ephemeral(item: Ephemeral) -> Json:
    described: Json = {
        "type": "message",
        "user": item.user,
        "text": item.text,
        "ts": item.ts,
        "channel": item.channel,
        "is_ephemeral": True,
        "source": item.source,
    }
    optional = {"blocks": item.blocks, "attachments": item.attachments, "thread_ts": item.thread_ts}
    return described | {key: copy.deepcopy(value) for key, value in optional.items() if value}


def file(workspace: Workspace, item: File) -> Json:
    extension = item.name.rpartition(".")[2] if "." in item.name else "text"
    shares: Json = {"public": {}, "private": {}}
    for channel_id, ts in item.shares:
        channel = workspace.channels[channel_id]
        share = {"ts": ts, "channel_name": channel.name, "team_id": workspace.team_id}
        shares["private" if channel.is_private else "public"].setdefault(channel_id, []).append(share)
    shared_to = [workspace.channels[channel] for channel, _ in item.shares]
    return _picture(item) | {
        "id": item.id,
        "created": item.created,
        "timestamp": item.created,
        "name": item.name,
        "title": item.title,
        "mimetype": item.mimetype,
        "filetype": extension,
        "pretty_type": extension.capitalize(),
        "user": item.user,
        "user_team": workspace.team_id,
        "editable": False,
        "size": item.length,
        "mode": "hosted",
        "is_external": False,
        "external_type": "",
        "is_public": any(not channel.is_private for channel in shared_to),
        "public_url_shared": False,
        "display_as_bot": False,
        "username": "",
        "url_private": f"{workspace.base_url}/files-pri/{item.id}/{item.name}",
        "url_private_download": f"{workspace.base_url}/files-pri/{item.id}/download/{item.name}",
        "permalink": f"https://{workspace.domain}.slack.com/files/{item.user}/{item.id}/{item.name}",
        "comments_count": 0,
        "is_starred": False,
        "shares": shares,
        "channels": [channel.id for channel in shared_to if not channel.is_private],
        "groups": [channel.id for channel in shared_to if channel.kind == "private"],
        "ims": [channel.id for channel in shared_to if channel.kind == "im"],
        "has_rich_preview": False,
        "file_access": "visible",
    }


def _picture(item: File) -> Json:
    """Width and height, where the file is a PNG."""
    content = item.content or b""
    if not content.startswith(b"\x89PNG\r\n") or len(content) < 24:
        return {}
    width, height = struct.unpack(">II", content[16:24])
    return {"original_w": width, "original_h": height}


def bookmark(workspace: Workspace, item: Bookmark) -> Json:
    return {
        "id": item.id,
        "channel_id": item.channel_id,
        "title": item.title,
        "link": item.link,
        "emoji": item.emoji,
        "icon_url": None,
        "type": "link",
        "entity_id": None,
        "date_created": item.created,
        "date_updated": item.updated,
        "rank": "g",
        "last_updated_by_user_id": item.by,
        "last_updated_by_team_id": workspace.team_id,
        "shortcut_id": None,
        "app_id": None,
    }


def view(workspace: Workspace, item: View) -> Json:
    payload = item.payload
    described: Json = {
        "id": item.id,
        "team_id": workspace.team_id,
        "type": item.type,
        "blocks": copy.deepcopy(payload["blocks"]),
        "private_metadata": payload.get("private_metadata", ""),
        "callback_id": payload.get("callback_id", ""),
        "external_id": payload.get("external_id", ""),
        "state": {"values": copy.deepcopy(item.state)},
        "hash": item.hash,
        "title": payload.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
        "clear_on_close": bool(payload.get("clear_on_close")),
        "notify_on_close": bool(payload.get("notify_on_close")),
        "close": payload.get("close"),
        "submit": payload.get("submit"),
        "previous_view_id": item.previous_view_id,
        "root_view_id": item.root_view_id,
        "app_id": workspace.app_id,
        "app_installed_team_id": workspace.team_id,
        "bot_id": workspace.bot.bot_id,
    }
    if item.type == "modal":
        described["submit_disabled"] = bool(payload.get("submit_disabled"))
    return described
