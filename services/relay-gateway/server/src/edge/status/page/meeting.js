// The meeting that the relay itself is in, on its status page: who is there, who speaks, whose hand is up.
// What people have chosen themselves, as names and subjects, goes into the page as text only.
"use strict";

// A display on a wall is opened at /status#room: the meeting alone, to be read from a distance.
const ROOM = "#room";
// With more people than this the room's display is set smaller.
const SIZES = [[90, "crowd"], [30, "many"]];
// A group of so many stays together there.
const SMALL = 12;

function standingWords(meeting) {
  return {
    "not-attached": text.standingNotAttached, joining: text.standingJoining, lobby: text.standingLobby,
    lost: text.standingLost, "not-admitted": text.standingNotAdmitted, password: text.standingPassword,
    locked: text.standingLocked, "no-answer": text.standingNoAnswer, refused: text.standingRefused,
    removed: text.standingRemoved, "sent-away": text.standingSentAway, replaced: text.standingReplaced,
    revoked: text.standingRevoked,
    over: text.standingOver, in: "",
  }[meeting.standing] ?? meeting.words;
}

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function nameOf(someone) {
  return element("bdi", "", someone.name || "–");
}

function personItem(someone) {
  const marks = [];
  if (someone.hand > 0) marks.push(text.hand(someone.hand));
  if (someone.itself) marks.push(text.itself);
  if (someone.host) marks.push(text.host);
  if (someone.muted && !someone.itself) marks.push(text.muted);
  if (someone.away) marks.push(text.away);
  const item = element("li", someone.speaking ? "speaking" : someone.away ? "away" : "", nameOf(someone));
  if (marks.length > 0) item.append(" ", element("span", "quiet", marks.join(" · ")));
  return item;
}

function groupBox(group) {
  const title = element("h3", "", element("bdi", "", group.relay_name || group.relay_id || "–"));
  if (group.own) title.append(" ", element("span", "badge", text.thisRelay));
  const className = group.people.length > SMALL ? "group" : "group small";
  return element("div", className, title, element("ul", "", ...group.people.map(personItem)));
}

// Only what has changed is touched, as `shown` says.
function renew(id, shown, make) {
  const box = at(id), key = JSON.stringify(shown);
  if (box.dataset.shown === key) return;
  box.dataset.shown = key;
  box.replaceChildren(...make());
}

function showMeeting(meeting) {
  at("meeting").hidden = !meeting;
  document.body.classList.toggle("room", Boolean(meeting) && location.hash === ROOM);
  if (!meeting) return;
  const inside = meeting.standing === "in" || meeting.standing === "lost";
  const words = standingWords(meeting);
  at("meeting").classList.toggle("stale", meeting.standing === "lost");
  at("subject").hidden = at("inside").hidden = !inside;
  at("meeting-words").hidden = words === "";
  say("meeting-words", words);
  say("room", document.body.classList.contains("room") ? text.roomLeave : text.roomDisplay);
  if (!inside) return;
  say("subject", meeting.subject || text.meeting);
  say("people-count", text.peopleCount(meeting.people));
  const everybody = meeting.groups.flatMap((group) => group.people);
  const speaking = everybody.filter((someone) => someone.speaking);
  renew("speaking", speaking, () => speaking.length > 0
    ? speaking.flatMap((someone, index) => index > 0 ? [", ", nameOf(someone)] : [nameOf(someone)])
    : [text.nobody]);
  const hands = everybody.filter((someone) => someone.hand > 0).sort((one, other) => one.hand - other.hand);
  at("hands-row").hidden = hands.length === 0;
  renew("hands", hands, () => hands.map((someone) => element("li", "", nameOf(someone))));
  renew("groups", meeting.groups, () => meeting.groups.map(groupBox));
  at("not-shown").hidden = meeting.not_shown === 0;
  say("not-shown", text.notShown(meeting.not_shown));
  const size = SIZES.find(([more]) => everybody.length > more)?.[1];
  for (const [, name] of SIZES) document.body.classList.toggle(name, name === size);
}

function leaveRoom() {
  history.replaceState(null, "", location.pathname);
  document.body.classList.remove("room");
  at("room").textContent = text.roomDisplay;
}

at("room").addEventListener("click", async () => {
  if (document.body.classList.contains("room")) {
    leaveRoom();
    if (document.fullscreenElement) await document.exitFullscreen();
    return;
  }
  history.replaceState(null, "", ROOM);
  document.body.classList.add("room");
  at("room").textContent = text.roomLeave;
  // A browser that does not want to shows it in its window.
  await document.documentElement.requestFullscreen?.().catch(() => {});
});

document.addEventListener("fullscreenchange", () => {
  if (!document.fullscreenElement && document.body.classList.contains("room")) leaveRoom();
});
