"""A local stand-in for Slack: tests and the sandbox talk to it where production talks to slack.com.

    with SlackStandIn(request_url="http://127.0.0.1:3000/slack/events") as slack:
        client = WebClient(slack.bot_token, base_url=slack.api_url, retry_handlers=[])

It answers the Web API with Slack's limits, errors and rate limits, delivers signed commands, events and
interactions over HTTP or Socket Mode, and lets a test act as the people in the workspace: with the app
(`actions`), with messages (`writing`), with channels (`joining`). The app has the scopes and events of
slack-manifest.yaml. It says only what Slack says; what is assumed rather than known carries a comment. It
listens on loopback, delivers to loopback and takes no token but `xoxb-emulator-…` and `xapp-emulator-…`. In a process
of its own: `python -m sandbox.slack --port 8900` (prints its urls and tokens as one line of JSON).

People and channels are named by id or by name (`alice`, `#incidents`); the channel `@sre_bot` is the person's
direct message with the bot. The cast is in `cast.py`.

Endpoints for a page (JSON in, JSON out)
----------------------------------------

All POSTs take a JSON object and answer `{"ok": true, "result": …}`, or 400 with `{"ok": false, "error": text}`
for what a person cannot do in Slack (the text is fit to be shown). Where the app was called, `result` is the
delivery: `{"kind", "transport": "http"|"socket", "status", "ok", "error": null|"operation_timeout"|
"dispatch_failed", "reason", "body": {the acknowledgement}, "raw", "elapsed", "attempt", "may_retry"}`; null when
the app is not subscribed to that event. They answer when the app has answered, after at most 3 s.

GET  /_standin/state?user=U  → `{"version", "now", "team": {"id","name","domain"}, "bot_user_id", "request_url",
     "socket_connections", "users": [Slack user], "usergroups": [Slack usergroup], "channels": [channel],
     "faults": [fault]}`. With `user` (id or name; 404 when unknown) only what this person sees, plus
     `"ephemerals": [{"channel","ts","text","blocks"?,"attachments"?,"thread_ts"?,"source": "ack"|"api"|
     "response_url"|"slackbot"}]`, `"views": [open modals, topmost last]` and `"home": view | null`.
     A channel is Slack's conversation object plus `"kind": "public"|"private"|"im"|"mpim"`, `"members": [ids]`,
     `"messages": [Slack message + "replies": [Slack message]]` (oldest first), `"pins": [ts]`, `"bookmarks"`,
     `"canvas": markdown | null`. A view is Slack's view object plus `"errors": {block_id: text}`; the key ""
     holds trouble with the whole modal. Every block has a `block_id`, every element an `action_id`.
GET  /_standin/files/{id}    a shared file's content, always as text; 404 when there is none
POST /_standin/command       {"user", "channel", "text"?, "command"? = "/sre"}
POST /_standin/mention       {"user", "channel", "text", "thread_ts"?}   the bot's address is added when missing
POST /_standin/post          {"user", "channel", "text", "thread_ts"?}   result: the message
POST /_standin/press         {"user", "channel", "ts", "action_id", "value"?}   `value`: of the button when several
                             share an action_id, else the option's value, user id, date or list chosen
POST /_standin/press_in_view {"user", "view_id", "action_id", "value"?}
POST /_standin/submit_view   {"user", "view_id", "values": {action_id or block_id: value}}
POST /_standin/close_view    {"user", "view_id", "clear"?}
POST /_standin/shortcut      {"user", "callback_id", "channel"?, "ts"?}
POST /_standin/react         {"user", "channel", "ts", "emoji"}   unreact takes the same
POST /_standin/pin           {"user", "channel", "ts"}   unpin and delete take the same; result: the deliveries
POST /_standin/edit          {"user", "channel", "ts", "text"}
POST /_standin/upload        {"user", "channel", "name", "content": text, "text"?, "thread_ts"?}   result: the message
POST /_standin/open_channel  {"user", "name", "is_private"?}   result: its id
POST /_standin/join          {"user", "channel"}   leave, archive and unarchive take the same
POST /_standin/invite        {"user", "channel", "guests": [user]}
POST /_standin/remove        {"user", "channel", "guest"}
POST /_standin/rename_channel {"user", "channel", "name"}
POST /_standin/set_topic     {"user", "channel", "topic"}
POST /_standin/remove_bookmark {"user", "channel", "title"}
POST /_standin/home          {"user", "tab"? = "home"}   opens the app's Home; `press_in_view` takes its view's id
POST /_standin/faults        {"method": name or "*", "kind": see `faults.Kind`, "times"?: n or null, "status"?,
                             "error"?, "seconds"?, "retry_after"?}
POST /_standin/clear_faults  {"method"?}
POST /_standin/reset         {}   everything as at the start
WS   /_standin/live          first `{"version", "kind": "hello"}`, then one notice for each change:
                             `{"version", "kind", "channel"?, "ts"?, "user"?, …}`, kind one of message,
                             message_changed, message_deleted, ephemeral, view, reaction, pin, bookmark, channel,
                             member, file, canvas, call, delivery, socket_open, socket_closed, reset. A page fetches
                             the state again when it sees one; `version` only grows.
"""

from sandbox.slack.delivery import Delivery
from sandbox.slack.payloads import NotThere
from sandbox.slack.server import SlackStandIn

__all__ = ["Delivery", "NotThere", "SlackStandIn"]
