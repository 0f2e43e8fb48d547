// The live view: what the door says, as it says it. Only text is ever put in, never markup.
"use strict";

const at = (id) => document.getElementById(id);
const SHOWN = 8;
let opened = null;

function say(id, text) {
  // A reader of the screen is told of changes only.
  if (at(id).textContent !== text) at(id).textContent = text;
}

function level(told) {
  at("level").value = told.level_dbfs;
  at("level-text").textContent = `${told.level_dbfs.toFixed(0).replace("-", "−")} dBFS`;
  at("clip").value = told.clip_seconds;
  at("clip-text").textContent = `${told.clip_seconds.toFixed(1)} s`;
  say("speech", (told.speech ? "Somebody speaks." : "Nobody speaks.") + (told.clipped ? " Too loud: the sound is clipped." : ""));
}

function decision(event) {
  say("decision", event.headline);
  say("reason", event.reason || "");
  at("open-llr").textContent = signed(event.open_llr);
  const rows = Object.entries(event.scores || {}).sort((a, b) => b[1] - a[1]).map(([name, score]) => {
    const row = document.createElement("tr");
    const head = document.createElement("th");
    head.scope = "row";
    head.textContent = name;
    const number = document.createElement("td");
    number.textContent = signed(score);
    const cell = document.createElement("td");
    cell.append(gauge(name, score, event));
    row.append(head, number, cell);
    return row;
  });
  at("scores").tBodies[0].replaceChildren(...rows);
  at("scores").hidden = rows.length === 0;
}

function gauge(name, score, event) {
  const made = document.createElement("meter");
  const reach = Math.max(10, Math.abs(event.open_llr), Math.abs(event.refuse_llr)) * 1.5;
  Object.assign(made, { min: -reach, max: reach, low: event.refuse_llr, high: event.open_llr, optimum: reach });
  made.value = score;
  made.setAttribute("aria-label", `${name}, against the threshold`);
  return made;
}

function happened(event) {
  const line = document.createElement("li");
  line.className = event.tone;
  const time = document.createElement("time");
  time.dateTime = event.time;
  time.textContent = event.clock;
  const text = document.createElement("div");
  text.textContent = event.headline;
  line.append(time, text);
  at("happened").prepend(line);
  while (at("happened").children.length > SHOWN) at("happened").lastElementChild.remove();
  at("nothing").hidden = true;
}

function door(told) {
  opened = told.reachable;
  say("door", told.reachable ? "The door can be reached." : "The door is away; it is looked for again and again.");
}

function status(told) {
  if (!opened) return;
  const held = told.held ? " Somebody is being recorded: no voice opens it now." : "";
  say("door", (told.listening ? "The door listens." : `The door does not listen (${told.state}).`) + held);
}

function signed(number) {
  return typeof number === "number" ? (number >= 0 ? "+" : "−") + Math.abs(number).toFixed(1) : "–";
}

const stream = new EventSource("/stream");
const on = (kind, act) => stream.addEventListener(kind, (message) => act(JSON.parse(message.data)));
on("door", door);
on("status", status);
on("level", level);
on("decision", decision);
on("happened", happened);
stream.onerror = () => {
  // A browser does not try again where it was turned away: after a logout, or with too many pages open.
  const gone = stream.readyState === EventSource.CLOSED;
  say("door", gone ? "No live view here: please load this page again." : "The connection is lost; trying again …");
};
