// What a person does to the workspace: write, press, react. Each answers what the person should be told, if anything.

import { bot, current, isDrawn, place, post, presses, state, withIds } from "./state.js";
import { ask } from "./dialogs.jsx";

export const COMMAND = "sre";

/** Type it as the person would. */
export async function send(text, channel, thread) {
  const fields = { user: state.value.of, channel, ...(thread && { thread_ts: thread }) };
  const [, command, rest] = /^\/(\S*)\s*([\s\S]*)$/.exec(text) ?? [];
  if (command === COMMAND) return void (await post("/_standin/command", { ...fields, text: rest }));
  if (command !== undefined) throw new Error(`/${command} is not a valid command.`);
  const toBot = /^@sre(?:_bot)?(?:\s+([\s\S]*))?$/.exec(text);
  if (!toBot) return void (await post("/_standin/post", { ...fields, text: withIds(text) }));
  const isThere = current.value.members.includes(bot().id);
  await post("/_standin/mention", { ...fields, text: withIds(toBot[1] ?? "") });
  if (!isThere) return `${bot().real_name} is not in this channel and does not see this.`;
}

const note = (key, said) => { presses.value = { ...presses.value, [key]: said }; };

/** What the elements of a message or of a view do; `where` is {channel, ts} or {view}. */
export function actions(where, user = state.value.of) {
  const scope = `${user}/${where.view ?? `${where.channel}/${where.ts}`}`;
  const key = (block) => `${scope}/${block.block_id}`;
  return {
    isBusy: (block, element) => presses.value[key(block)]?.busy === element.action_id,
    wrong: (block) => presses.value[key(block)]?.wrong,
    press: async (block, element, value = element.value) => {
      if (!isDrawn.value || place.value.person !== user) return;
      if (element.confirm && !(await ask(element.confirm))) return;
      const { action_id } = element;
      note(key(block), { busy: action_id });
      note(key(block), { wrong: await pressed(where, { user, action_id, value }) });
    },
  };
}

/** What went wrong, as Slack says it beside the button; nothing when all went well. */
async function pressed({ view, channel, ts }, fields) {
  try {
    const [path, target] = view ? ["press_in_view", { view_id: view }] : ["press", { channel, ts }];
    const { error, status } = await post(`/_standin/${path}`, { ...fields, ...target });
    if (error === "operation_timeout") return `Operation timed out. Apps need to respond within 3 seconds. (${error})`;
    return error && `This app ${status ? `responded with Status Code ${status}` : "did not respond"}. (${error})`;
  } catch (error) {
    return error.message;
  }
}
