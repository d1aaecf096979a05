// The status page of an edge relay: asks /status.json every two seconds and shows it.
"use strict";

const TEXTS = {
  en: {
    attached: "Attached", detached: "Not attached", revoked: "Revoked by the administrator",
    silent: "The relay does not answer", unnamed: "Relay not enrolled yet",
    about: (id, version) => `Relay ${id}, version ${version}`,
    saved: "Saved on the internet connection", graph: "The uplink in the last five minutes",
    compared: "Compared with direct connections",
    savedWords: (would, took, share) => `Each on a connection of their own, everybody behind this relay would have taken ${would}. The relay took ${took}: ${share} % less.`,
    savedUp: (would, took, share) => `Upward they have sent ${would}, and the relay ${took}: ${share} % less.`,
    notYetUp: (would, took) => `Upward nothing yet: they have sent ${would}, and the relay ${took}.`,
    notYet: (would, took) => `Nothing yet: the relay took ${took}, connections of their own would have taken ${would}.`,
    minutes: "5 min ago", now: "now", direct: "if each had a connection of their own", down: "down", up: "up",
    since: "Attached for", parent: "Parent", rtt: "Round trip", clock: "Clock difference",
    people: "People in meetings", peopleBefore: "People when the connection was lost", notKnown: "not known before it is attached", terminals: "Terminals", relays: "Relays attached here",
    totalUp: "Up in all", totalDown: "Down in all", limit: "Uplink limit", none: "none",
    resumed: "Sessions resumed", room: "One room", yes: "yes",
    trouble: "Last problem", ago: (span) => `${span} ago`,
    adviceRevoked: "Ask the administrator whether this relay is still wanted. With a new one-time token (--enrolment-token-file) it enrols anew.",
    adviceNew: "It has never been attached. Check the parent's address (--upstream), that this machine may reach it, and the one-time token. The command “tributary relay diag” tries the way and writes down what answers. The relay goes on trying by itself.",
    adviceLost: "The relay goes on trying by itself. If that lasts, check that this machine reaches its parent (the command “tributary relay diag” tries it) and, with the administrator, that the parent runs.",
    meeting: "Meeting", roomDisplay: "Room display", roomLeave: "Leave the room display",
    peopleCount: (count) => count === 1 ? "1 person" : `${count.toLocaleString(language)} people`,
    speakingNow: "Speaking now", nobody: "nobody", raisedHands: "Raised hands", hand: (place) => `hand up (${place})`,
    itself: "the relay itself", host: "host", muted: "muted", away: "away", thisRelay: "this relay",
    notShown: (count) => `and ${count.toLocaleString(language)} more`,
    standingNotAttached: "The relay joins as soon as it is attached.",
    standingJoining: "The relay is joining.",
    standingLobby: "The relay waits in the lobby. A host of the meeting has to let it in.",
    standingLost: "The connection to the meeting is lost, and what is shown is of before. The relay comes back by itself.",
    standingNotAdmitted: "The relay is not let in. The link is wrong or not good any more, or the meeting is for its members only. It tries again every few minutes; if the link is wrong, start it with the right one (--join).",
    standingPassword: "The meeting wants a password, and a relay has none to give. Ask a host to let people with the link in without one. It tries again every few minutes.",
    standingLocked: "The meeting is locked. Its hosts let nobody else in for now. The relay tries again every few minutes.",
    standingNoAnswer: "The core, or a service behind it, does not answer now. The relay tries again by itself, at least once a minute.",
    standingRefused: "The relay was not let in. It tries again every few minutes; its log says more.",
    standingRemoved: "A host has taken the relay out of the meeting. It does not come back by itself; start it again if it is wanted there.",
    standingSentAway: "A host has sent the relay away from the lobby. It does not come back by itself; start it again if it is wanted there.",
    standingReplaced: "Somebody else has joined as this relay. It does not come back by itself; start it again.",
    standingRevoked: "What the relay had joined by was revoked. It does not come back by itself; start it again if it is wanted there.",
    standingOver: "The meeting is over. To be in another one, start the relay with the link to that (--join).",
    counted: "Uplink bytes are counted at the socket, with TLS and HTTP/2, without TCP and IP. Counted since the relay has started.",
  },
  "zh-CN": {
    attached: "已连接", detached: "未连接", revoked: "已被管理员撤销",
    silent: "中继没有响应", unnamed: "中继尚未注册",
    about: (id, version) => `中继 ${id}，版本 ${version}`,
    saved: "已节省的互联网流量", graph: "最近五分钟的上行链路",
    compared: "与各自连接比较",
    savedWords: (would, took, share) => `如果此中继下的每个人各自连接，将需要 ${would}；中继只用了 ${took}，减少 ${share}%。`,
    savedUp: (would, took, share) => `上行方向，他们发送了 ${would}，中继发送了 ${took}，减少 ${share}%。`,
    notYetUp: (would, took) => `上行方向尚未节省：他们发送了 ${would}，中继发送了 ${took}。`,
    notYet: (would, took) => `尚未节省：中继用了 ${took}，各自连接将需要 ${would}。`,
    minutes: "5 分钟前", now: "现在", direct: "如果每个人各自连接", down: "下行", up: "上行",
    since: "连接时长", parent: "上级中继", rtt: "往返时间", clock: "时钟差",
    people: "会议中的人", peopleBefore: "连接中断时会议中的人", notKnown: "连接之前未知", terminals: "终端", relays: "下级中继",
    totalUp: "上行总量", totalDown: "下行总量", limit: "上行链路限额", none: "无",
    resumed: "会话恢复次数", room: "同一房间", yes: "是",
    trouble: "最近的问题", ago: (span) => `${span}前`,
    adviceRevoked: "请向管理员确认是否仍需要此中继。使用新的一次性令牌（--enrolment-token-file）可重新注册。",
    adviceNew: "此中继从未连接成功。请检查上级地址（--upstream）、本机能否访问该地址，以及一次性令牌。命令“tributary relay diag”会逐步尝试并记录结果。中继会自动继续尝试。",
    adviceLost: "中继会自动继续尝试。如果持续不通，请检查本机能否访问上级中继（命令“tributary relay diag”会尝试），并请管理员确认上级中继正在运行。",
    meeting: "会议", roomDisplay: "会议室显示", roomLeave: "退出会议室显示",
    peopleCount: (count) => `${count.toLocaleString(language)} 人`,
    speakingNow: "正在发言", nobody: "无人", raisedHands: "举手", hand: (place) => `举手（${place}）`,
    itself: "中继本身", host: "主持人", muted: "已静音", away: "离开", thisRelay: "此中继",
    notShown: (count) => `还有 ${count.toLocaleString(language)} 人`,
    standingNotAttached: "中继连接后会立即加入会议。",
    standingJoining: "中继正在加入会议。",
    standingLobby: "中继在等候室中，需要会议主持人允许其加入。",
    standingLost: "与会议的连接已中断，显示的是中断前的情况。中继会自动恢复。",
    standingNotAdmitted: "中继未被允许加入：链接错误或已失效，或者会议仅限成员。中继每隔几分钟再试；如果链接错误，请用正确的链接（--join）重新启动。",
    standingPassword: "会议需要密码，而中继无法提供。请主持人允许持链接者免密码加入。中继每隔几分钟再试。",
    standingLocked: "会议已锁定，主持人目前不允许其他人加入。中继每隔几分钟再试。",
    standingNoAnswer: "核心或其后的服务目前没有响应。中继会自动再试，至少每分钟一次。",
    standingRefused: "中继未能加入。中继每隔几分钟再试；日志中有更多信息。",
    standingRemoved: "主持人已将中继移出会议。中继不会自行返回；如有需要，请重新启动中继。",
    standingSentAway: "主持人已拒绝等候室中的中继。中继不会自行返回；如有需要，请重新启动中继。",
    standingReplaced: "有人以此中继的身份加入了会议。中继不会自行返回；请重新启动中继。",
    standingRevoked: "中继加入会议的凭据已被撤销。中继不会自行返回；如有需要，请重新启动中继。",
    standingOver: "会议已结束。要加入其他会议，请用该会议的链接（--join）重新启动中继。",
    counted: "链路字节在套接字处计数，含 TLS 和 HTTP/2，不含 TCP 和 IP。自中继启动起计算。",
  },
};
const SECONDS = 300, WIDTH = 600, HEIGHT = 200;

const language = document.documentElement.lang;
const text = TEXTS[language] ?? TEXTS.en;
const at = (id) => document.getElementById(id);

for (const element of document.querySelectorAll("[data-text]")) {
  element.textContent = text[element.dataset.text];
}

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) { count /= 1024; unit += 1; }
  const digits = unit > 0 && count < 100 ? 1 : 0;
  return `${count.toLocaleString(language, { maximumFractionDigits: digits })} ${units[unit]}`;
}

function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const parts = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];
  const first = parts.findIndex(([size]) => seconds >= size);
  const from = first < 0 ? parts.length - 1 : first;
  return parts.slice(from, from + 2).map(([size, unit], index) => {
    const larger = index === 0 ? Infinity : parts[from + index - 1][0];
    const count = Math.floor((seconds % larger || (index === 0 ? seconds : 0)) / size);
    return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "short" }).format(count);
  }).join(" ");
}

function milliseconds(value) {
  const count = value.toLocaleString(language, {
    maximumFractionDigits: 1,
    signDisplay: "negative",
  });
  return `${count} ms`;
}

function say(id, words) {
  const element = at(id);
  if (element.textContent !== words) element.textContent = words;
}

// As a screen reader would read changes out, only what changes is touched.
function facts(list) {
  const box = at("facts");
  while (box.children.length > list.length) box.lastChild.remove();
  list.forEach(([name, value], index) => {
    let row = box.children[index];
    if (!row) {
      row = document.createElement("div");
      row.append(document.createElement("dt"), document.createElement("dd"));
      box.append(row);
    }
    if (row.firstChild.textContent !== name) row.firstChild.textContent = name;
    if (row.lastChild.textContent !== value) row.lastChild.textContent = value;
  });
}

function path(report) {
  const own = { relay_name: report.relay_name || report.relay_id };
  const hops = [...(report.attached_to?.path ?? []), own].map((hop) => hop.relay_name || hop.relay_id);
  const list = at("path");
  list.hidden = hops.every((name) => !name);
  if (list.dataset.shown === JSON.stringify(hops)) return;
  list.dataset.shown = JSON.stringify(hops);
  list.replaceChildren(...hops.map((name) => {
    const item = document.createElement("li");
    item.textContent = name || "–";
    return item;
  }));
}

// The next 1, 2 or 5 with zeros in units of 1024, so that the scale does not jump about.
function ceiling(most) {
  let unit = 1024;
  while (most > unit * 1000) unit *= 1024;
  for (let step = 1; ; step *= 10) {
    for (const factor of [1, 2, 5]) if (most <= factor * step * unit) return factor * step * unit;
  }
}

const CHARTS = { uplink: ["down", "up"], compared: ["direct", "down"] };

function graph(chart, history) {
  const most = Math.max(1, ...history.flatMap((second) => CHARTS[chart].map((series) => second[series])));
  const top = ceiling(most);
  for (const series of CHARTS[chart]) {
    const points = history.map((second, index) => {
      const x = WIDTH * (SECONDS - history.length + index) / (SECONDS - 1);
      return `${x.toFixed(1)},${(HEIGHT - 2 - (HEIGHT - 4) * second[series] / top).toFixed(1)}`;
    });
    at(`${chart}-${series}`).setAttribute("points", points.join(" "));
    const last = history.at(-1)?.[series] ?? 0;
    say(`${chart}-now-${series}`, `${bytes(last)}/s`);
  }
  say(`${chart}-top`, `${bytes(top)}/s`);
}

function grid(box) {
  for (const part of [0, 1, 2, 3, 4]) {
    const line = document.createElementNS("http://www.w3.org/2000/svg", "line");
    const y = 2 + (HEIGHT - 4) * part / 4;
    for (const [name, value] of [["x1", 0], ["x2", WIDTH], ["y1", y], ["y2", y]]) line.setAttribute(name, value);
    box.append(line);
  }
}

// While the relay is not attached, what went wrong comes first.
function trouble(report) {
  const box = at("trouble");
  box.hidden = !report.last_error;
  if (!report.last_error) return;
  say("error", report.last_error);
  say("error-when", text.ago(span(report.now_ms - report.last_error_at_ms)));
  const advice = report.revoked ? text.adviceRevoked : report.relay_id ? text.adviceLost : text.adviceNew;
  say("advice", report.attached ? "" : advice);
  const before = report.attached ? document.querySelector("footer") : at("meeting");
  if (box.nextElementSibling !== before) before.before(box);
}

function show(report) {
  const attached = report.attached_to;
  at("state").classList.toggle("good", report.attached);
  say("state", report.attached ? text.attached : report.revoked ? text.revoked : text.detached);
  const name = report.relay_name || report.relay_id || text.unnamed;
  say("name", name);
  document.title = `${name} – Tributary`;
  say("about", text.about(report.relay_id || "–", report.version));
  path(report);
  const share = Math.floor(100 * report.saved_bytes / Math.max(1, report.delivered_bytes));
  const saving = report.saved_bytes > 0;
  say("saved", bytes(Math.max(0, report.saved_bytes)));
  const words = saving ? text.savedWords : text.notYet;
  say("saved-words", words(bytes(report.delivered_bytes), bytes(report.bytes_down), share));
  const shareUp = Math.floor(100 * report.saved_up_bytes / Math.max(1, report.heard_bytes));
  const wordsUp = report.saved_up_bytes > 0 ? text.savedUp : text.notYetUp;
  say("saved-up", wordsUp(bytes(report.heard_bytes), bytes(report.bytes_up), shareUp));
  showMeeting(report.meeting);
  for (const chart of Object.keys(CHARTS)) graph(chart, report.history);
  const list = [];
  if (attached) {
    list.push([text.since, span(report.now_ms - attached.since_ms)]);
    list.push([text.parent, attached.upstream]);
    if (attached.rtt_ms !== null) {
      list.push([text.rtt, milliseconds(attached.rtt_ms)]);
      list.push([text.clock, milliseconds(attached.clock_offset_ms)]);
    }
  }
  const people = report.participants?.toLocaleString(language) ?? text.notKnown;
  list.push([report.attached || report.participants === null ? text.people : text.peopleBefore, people]);
  list.push([text.terminals, report.terminals.toLocaleString(language)]);
  if (report.relays > 0) list.push([text.relays, report.relays.toLocaleString(language)]);
  list.push([text.totalUp, bytes(report.bytes_up)], [text.totalDown, bytes(report.bytes_down)]);
  const limit = report.limit_kbit ? `${report.limit_kbit.toLocaleString(language)} kbit/s` : text.none;
  list.push([text.limit, report.limit_kbit === null ? text.notKnown : limit]);
  if (report.resumed > 0) list.push([text.resumed, report.resumed.toLocaleString(language)]);
  if (report.room) list.push([text.room, text.yes]);
  facts(list);
  trouble(report);
}

async function turn() {
  let pause = 2000;
  try {
    const answer = await fetch("/status.json", { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(answer.statusText);
    const report = await answer.json();
    show(report);
    // Who speaks changes quickly.
    if (report.meeting) pause = 1000;
  } catch {
    at("state").classList.remove("good");
    say("state", text.silent);
    at("meeting").classList.add("stale");
  }
  setTimeout(turn, pause);
}

document.querySelectorAll(".grid").forEach(grid);
// When the scripts after this one are there.
document.addEventListener("DOMContentLoaded", turn);
