// Slack's window (a modal view): its blocks, its fields, what is wrong with them, submit and close. The topmost view of
// the person is shown; what is typed is kept here until the window is gone.

import { signal } from "@preact/signals";
import { Blocks, Unknown } from "./blocks.jsx";
import { useModal } from "./dialogs.jsx";
import { Element, initial, isDrawnHere } from "./elements.jsx";
import { actions } from "./sending.js";
import { isDrawn, post, state, world } from "./state.js";
import { plain } from "./text.jsx";

const NOTHING = { values: {}, missing: [], trouble: "", isBusy: false };
const forms = signal({}); // id of a view → what was done to it here

const formOf = (view) => forms.value[view.id] ?? NOTHING;
const note = (view, changes) => { forms.value = { ...forms.value, [view.id]: { ...formOf(view), ...changes } }; };

const inputsOf = (view) => view.blocks.filter(({ type, element }) => type === "input" && isDrawnHere(element.type));

function valueOf(view, { block_id, element }) {
  const typed = formOf(view).values[block_id];
  return typed === undefined ? initial(element) : typed;
}

const isEmpty = (value) => value === null || value === "" || (Array.isArray(value) && !value.length);

/** Slack's client sends no form in which a required field is empty. */
async function submit(view) {
  const fields = inputsOf(view);
  const missing = fields.filter((block) => !block.optional && isEmpty(valueOf(view, block))).map(({ block_id }) => block_id);
  note(view, { missing, trouble: "", isBusy: !missing.length });
  if (missing.length) return void requestAnimationFrame(() => document.querySelector("#window [aria-invalid]")?.focus());
  const values = Object.fromEntries(fields.map((block) => [block.block_id, valueOf(view, block)]));
  const failed = await post("/_standin/submit_view", { user: state.value.of, view_id: view.id, values }).catch((error) => error);
  note(view, { isBusy: false, trouble: failed instanceof Error ? failed.message : "" });
}

async function close(view) {
  await post("/_standin/close_view", { user: state.value.of, view_id: view.id })
    .catch((error) => note(view, { trouble: error.message }));
}

export function Window() {
  const view = state.value.views.at(-1);
  const dialog = useModal(view?.id);
  if (!view && Object.keys(forms.value).length) forms.value = {};
  const leave = (event) => { // Escape: the stand-in closes it, as for everybody else who looks
    event.preventDefault();
    close(view);
  };
  return (
    <dialog id="window" aria-labelledby="window-title" ref={dialog} inert={!isDrawn.value} onCancel={leave}>
      {view && <Form key={view.root_view_id ?? view.id} view={view} />}
    </dialog>
  );
}

function Form({ view }) {
  const form = formOf(view);
  const act = {
    ...actions({ view: view.id }),
    typed: ({ block_id }, element, value) => note(view, { values: { ...formOf(view).values, [block_id]: value } }),
    kept: ({ block_id }) => formOf(view).values[block_id],
  };
  const send = (event) => {
    event.preventDefault();
    submit(view);
  };
  return (
    <>
      <h2 id="window-title">{plain(view.title.text)}</h2>
      <form noValidate onSubmit={send}>
        <div id="window-body">
          {view.blocks.map((block) => (block.type === "input"
            ? <Field key={`${view.id}/${block.block_id}`} view={view} block={block} act={act} />
            : <Blocks key={`${view.id}/${block.block_id}`} list={[block]} world={world.value} act={act} />))}
        </div>
        <p id="window-wrong" class="wrong" role="alert">{form.trouble || view.errors[""]}</p>
        <div class="choice">
          <button id="window-close" type="button" class="button" onClick={() => close(view)}>{plain(view.close?.text ?? "Cancel")}</button>
          <button id="window-submit" class="button primary" hidden={!view.submit} disabled={form.isBusy}>{plain(view.submit?.text ?? "")}</button>
        </div>
      </form>
    </>
  );
}

const GROUPS = ["checkboxes", "radio_buttons"];

function Field({ view, block, act }) {
  const { label, hint, optional, element } = block;
  if (!isDrawnHere(element.type)) return <Unknown what="input" thing={element} />;
  const wrong = formOf(view).missing.includes(block.block_id) ? "Please complete this required field." : view.errors[block.block_id];
  const id = `field-${block.block_id}`;
  const about = [wrong && `${id}-wrong`, hint && `${id}-hint`].filter(Boolean).join(" ");
  const inputProps = {
    id, "aria-invalid": wrong ? "true" : undefined, "aria-required": !optional || undefined,
    "aria-describedby": about || undefined, "aria-labelledby": `${id}-label`,
  };
  const title = <><b>{plain(label.text)}</b>{optional && <span class="soft"> (optional)</span>}</>;
  return (
    <div class="input">
      {GROUPS.includes(element.type) ? <span id={`${id}-label`}>{title}</span> : <label id={`${id}-label`} for={id}>{title}</label>}
      <Element block={block} element={element} world={world.value} act={act} inputProps={inputProps} />
      {wrong && <p class="wrong" role="alert" id={`${id}-wrong`}>{plain(wrong)}</p>}
      {hint && <p class="hint" id={`${id}-hint`}>{plain(hint.text)}</p>}
    </div>
  );
}
