// The bot's Home tab, as this person has it. Opening it is told to the bot, which publishes it anew.

import { useEffect, useState } from "preact/hooks";
import { Blocks } from "./blocks.jsx";
import { actions } from "./sending.js";
import { bot, isDrawn, post, state, world } from "./state.js";

export function Home() {
  const [wrong, setWrong] = useState("");
  const { of, home } = state.value;
  useEffect(() => {
    if (isDrawn.value) post("/_standin/home", { user: of }).then(() => setWrong(""), (error) => setWrong(error.message));
  }, [of]);
  return (
    <div class="home" id="home" tabIndex={0} role="region" aria-label={`Home of ${bot().real_name}`}>
      {wrong && <p class="wrong" role="alert">{wrong}</p>}
      {home
        ? <Blocks list={home.blocks} world={world.value} act={actions({ view: home.id })} />
        : <p class="note">{bot().real_name} has published nothing here yet. It is told that you look; what it publishes comes by itself.</p>}
    </div>
  );
}
