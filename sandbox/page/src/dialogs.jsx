// The two questions of the page itself: "are you sure" (also the `confirm` of a Block Kit element), and the editing of
// a message. Both are asked of one person: who changes who she is leaves them unanswered.

import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { isDrawn, world } from "./state.js";
import { plain, textObject, unescape } from "./text.jsx";

const question = signal(null); // {title, text, confirm, deny, style, answer}
const editing = signal(null); // {text, answer}

/** Answers whether the person agreed; `asked` is Slack's confirm object. */
export const ask = (asked) => put(question, asked);

/** Answers the new text, or nothing when it was left. */
export const askText = (text) => put(editing, { text: unescape(text) });

/** A question that was open goes unanswered. */
function put(which, asked) {
  which.value?.answer();
  return new Promise((answer) => { which.value = { ...asked, answer }; });
}

function settle(which, said) {
  const open = which.value;
  which.value = null;
  open?.answer(said);
}

// The news that a dialog was closed comes late, perhaps when the next question is open already.

/** An open dialog for as long as there is something in it; opened anew for another thing. */
export function useModal(inside) {
  const dialog = useRef();
  useLayoutEffect(() => {
    if (inside && !dialog.current.open) dialog.current.showModal();
    if (!inside && dialog.current.open) dialog.current.close();
  }, [inside]);
  return dialog;
}

export function Confirm() {
  if (!isDrawn.value && question.value) settle(question, false); // what was asked was asked of the one before
  const asked = question.value;
  const dialog = useModal(asked);
  const submit = (event) => {
    event.preventDefault();
    settle(question, event.submitter.value === "yes");
  };
  return (
    <dialog id="confirm" aria-labelledby="confirm-title" ref={dialog} inert={!isDrawn.value} onClose={({ target }) => target.open || settle(question, false)}>
      {asked && <>
        <h2 id="confirm-title">{plain(asked.title.text)}</h2>
        <div id="confirm-text" class="text">{textObject(asked.text, world.value)}</div>
        <form class="choice" method="dialog" onSubmit={submit}>
          <button class="button">{plain(asked.deny?.text ?? "Cancel")}</button>
          <button class={`button ${asked.style === "danger" ? "danger" : "primary"}`} value="yes">{plain(asked.confirm?.text ?? "OK")}</button>
        </form>
      </>}
    </dialog>
  );
}

export function Edit() {
  if (!isDrawn.value && editing.value) settle(editing);
  const open = editing.value;
  const dialog = useModal(open);
  const submit = (event) => {
    event.preventDefault();
    settle(editing, event.submitter.value === "save" ? event.target.elements[0].value.trim() : undefined);
  };
  return (
    <dialog id="edit" aria-labelledby="edit-title" ref={dialog} inert={!isDrawn.value} onClose={({ target }) => target.open || settle(editing)}>
      {open && <>
        <h2 id="edit-title">Edit the message</h2>
        <form method="dialog" onSubmit={submit}>
          <textarea class="line" rows="4" aria-label="The message" spellcheck={false} defaultValue={open.text} />
          <div class="choice"><button class="button">Cancel</button><button class="button primary" value="save">Save</button></div>
        </form>
      </>}
    </dialog>
  );
}
