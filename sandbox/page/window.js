// Slack's window (a modal view): its blocks, its text fields, what is wrong with them, submit and close.
//
// `view` is the topmost one of the person, or undefined; `tools` are {user, world, post, sync, draw} of the page.
// What is typed is kept here until the window is gone, because the page draws anew at every notice of the stand-in.

import { blocks, el, options, plain, unknown } from "./blocks.js";

const $ = (id) => document.getElementById(id);
const typed = new Map(); // "view/block" → text
const busy = new Set(); // ids of the views being sent
const trouble = new Map(); // id of a view → what the page itself has to say of it
const missing = new Set(); // "view/block" of a required field that was left empty

export function drawWindow(view, tools) {
  const dialog = $("window");
  if (!view) {
    for (const kept of [typed, trouble, missing]) kept.clear();
    return void (dialog.open && dialog.close());
  }
  $("window-title").replaceChildren(...plain(view.title.text));
  const items = view.blocks.map((block) => ({ key: `${view.id}/${block.block_id}`, block, wrong: wrong(view, block) }));
  tools.sync($("window-body"), items, (item) => el("div", {}, drawBlock(item, view, tools)));
  $("window-wrong").textContent = trouble.get(view.id) ?? view.errors[""] ?? "";
  $("window-close").replaceChildren(...plain(view.close?.text ?? "Cancel"));
  $("window-submit").hidden = !view.submit;
  $("window-submit").replaceChildren(...plain(view.submit?.text ?? ""));
  $("window-submit").disabled = busy.has(view.id);
  dialog.querySelector("form").onsubmit = (event) => {
    event.preventDefault();
    submit(view, tools);
  };
  $("window-close").onclick = () => close(view, tools);
  dialog.oncancel = (event) => { // Escape: the stand-in closes it, as for everybody else who looks
    event.preventDefault();
    close(view, tools);
  };
  if (!dialog.open) dialog.showModal();
}

function wrong(view, { block_id }) {
  return missing.has(`${view.id}/${block_id}`) ? "Please complete this required field." : view.errors[block_id];
}

function drawBlock({ key, block, wrong }, view, { user, world, post }) {
  if (block.type === "input") return field(key, block, wrong, world);
  const press = (pressed, element) => post("/_standin/press_in_view", { user, view_id: view.id, action_id: element.action_id, value: element.value });
  return blocks([block], world, { press, isBusy: () => false, wrong: () => undefined });
}

function field(key, { element, label, hint, optional }, wrong, world) {
  const about = { label, hint, optional, wrong };
  if (element.type === "static_select") return choice(key, element, about, options(element));
  if (element.type === "users_select") return choice(key, element, about, people(world));
  if (!TYPED[element.type]) return unknown("input", element);
  const looks = {
    value: typed.get(key) ?? initial(element) ?? "",
    placeholder: element.placeholder?.text ?? "",
    maxLength: element.max_length ?? 3000,
    autofocus: Boolean(element.focus_on_load),
    required: !optional,
    "aria-invalid": Boolean(wrong),
    "data-focus": key,
    oninput: ({ target }) => typed.set(key, target.value),
  };
  const box = element.multiline ? el("textarea", { ...looks, rows: 4 }) : el("input", { ...looks, type: TYPED[element.type] });
  return labelled(about, box);
}

const labelled = ({ label, hint, optional, wrong }, box) => el("label", { className: "input" },
  el("b", {}, plain(label.text)), optional && " (optional)", box,
  wrong && el("p", { className: "wrong", role: "alert" }, plain(wrong)),
  hint && el("span", { className: "hint" }, plain(hint.text)));

const people = ({ users }) => [...users.values()].filter(({ is_bot, deleted }) => !is_bot && !deleted)
  .map(({ id, real_name }) => el("option", { value: id }, real_name));

function choice(key, element, about, all) {
  const kept = typed.get(key) ?? initial(element) ?? "";
  const node = el("select", { "data-focus": key, onchange: ({ target }) => typed.set(key, target.value) },
    !element.initial_option && el("option", { value: "" }, plain(element.placeholder?.text ?? "Choose…")), all);
  node.value = kept;
  return labelled(about, node);
}

// What is typed, and as what kind of input.
const TYPED = { plain_text_input: "text", datepicker: "date", datetimepicker: "datetime-local" };
const FIELDS = [...Object.keys(TYPED), "static_select", "users_select"];

/** What stands in a field before anybody touches it; a time is Slack's seconds, and here the reader's own clock. */
function initial(element) {
  const seconds = element.initial_date_time;
  if (seconds) return new Date((seconds - new Date(seconds * 1000).getTimezoneOffset() * 60) * 1000).toISOString().slice(0, 16);
  return element.initial_value ?? element.initial_date ?? element.initial_option?.value ?? element.initial_user;
}

/** As Slack's client sends it: what was left open is nothing, not an empty choice. */
function sent(element, text) {
  return text && element.type === "datetimepicker" ? Math.floor(new Date(text).getTime() / 1000) : text || null;
}

/** Slack's client sends no form in which a required field is empty. */
async function submit(view, { user, post, draw }) {
  missing.clear();
  const values = {};
  for (const block of view.blocks.filter(({ type, element }) => type === "input" && FIELDS.includes(element.type))) {
    const key = `${view.id}/${block.block_id}`;
    values[block.block_id] = sent(block.element, typed.get(key) ?? initial(block.element));
    if (!block.optional && !values[block.block_id]) missing.add(key);
  }
  trouble.delete(view.id);
  if (!missing.size) {
    busy.add(view.id);
    draw();
    await post("/_standin/submit_view", { user, view_id: view.id, values }).catch((error) => trouble.set(view.id, error.message));
    busy.delete(view.id);
  }
  draw();
}

async function close(view, { user, post, draw }) {
  await post("/_standin/close_view", { user, view_id: view.id }).catch((error) => {
    trouble.set(view.id, error.message);
    draw();
  });
}
