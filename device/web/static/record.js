// Recording: shows what to say, and tells the door every few seconds that somebody still looks at this page.
"use strict";

const at = (id) => document.getElementById(id);
const HERE_MILLISECONDS = 5000;

function say(id, text) {
  // A reader of the screen is told of changes only.
  if (at(id).textContent !== text) at(id).textContent = text;
}

function prompt(told) {
  const background = told.text === "";
  say("hint", background ? "Nobody speaks; the door does what it does." : `${told.manner}: ${told.hint}`);
  say("sentence", background ? "" : told.text);
  at("level").value = told.level_dbfs;
  at("level-text").textContent = told.clipped ? "too loud" : `${told.level_dbfs.toFixed(0).replace("-", "−")} dBFS`;
  at("today").value = told.today_seconds / told.target_seconds;
  at("today-text").textContent = `${told.today_seconds.toFixed(0)} of ${told.target_seconds.toFixed(0)} s`;
  say("said", told.said || (told.speaking ? "Recording …" : "Waiting for a voice …"));
}

function here() {
  const csrf = document.querySelector("meta[name=csrf]").content;
  fetch("/record/here", { method: "POST", headers: { "X-CSRF-Token": csrf } }).then((answer) => {
    if (answer.status === 205) location.replace("/record");
  }, () => say("recorder", "The connection is lost; trying again …"));
}

if (at("recorder").dataset.running === "yes") {
  const stream = new EventSource("/stream");
  stream.addEventListener("prompt", (message) => prompt(JSON.parse(message.data)));
  stream.addEventListener("recorder", (message) => {
    if (!JSON.parse(message.data).running) location.replace("/record");
  });
  here();
  setInterval(here, HERE_MILLISECONDS);
}
