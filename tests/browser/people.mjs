// What people do on the page, by the names that they see there (English).

import path from "node:path";
import { fileURLToPath } from "node:url";

export const button = (page, name) => page.getByRole("button", { name, exact: true });

/** What somebody who is not let in is told, whatever the reason is. */
export const REFUSED =
  "This meeting can't be joined. Check the link or the id and the password, or ask the organiser.";

const WAIT_OUTSIDE = "Outsiders wait until a host lets them in";

/** Opens the start page and logs in. */
export async function logIn(page, url, { user_name, password, display_name }) {
  await page.goto(url);
  const form = page.getByRole("form", { name: "Log in" });
  await form.getByLabel("User name").fill(user_name);
  await form.getByLabel("Password").fill(password);
  await form.getByRole("button", { name: "Log in", exact: true }).click();
  await page.getByRole("heading", { name: `Hello, ${display_name}` }).waitFor();
}

/** Creates a meeting from the start page; resolves with its id, on the page before joining. */
export async function createMeeting(page, options) {
  const { subject, shared = true, password = "", lobby = false } = options;
  const form = page.getByRole("form", { name: "Create a meeting" });
  await form.getByRole("textbox", { name: "Subject" }).fill(subject);
  await form.getByRole("checkbox", { name: "Whoever has the link may join" }).setChecked(shared);
  await form.getByRole("checkbox", { name: WAIT_OUTSIDE }).setChecked(lobby);
  if (password !== "") {
    await button(form, "Add a password").click();
    await form.getByLabel("Meeting password").fill(password);
  }
  await button(form, "Create meeting").click();
  await page.getByRole("heading", { name: subject }).waitFor();
  return new URL(page.url()).hash.match(/^#\/m\/(\d+)/)[1];
}

/** Joins from the page before joining. */
export async function join(page) {
  await button(page, "Join").click();
  await button(page, "Leave").waitFor();
}

/** Opens the panel of that name in or before a meeting, and resolves with it; `by` is what opens it. */
export async function openPanel(page, name, by = name) {
  const toggle = button(page, by);
  if ((await toggle.getAttribute("aria-expanded")) !== "true") await toggle.click();
  const panel = page.getByRole("region", { name, exact: true });
  await panel.waitFor();
  return panel;
}

/** The link that the share panel shows. */
export async function shownLink(panel) {
  return panel.getByRole("textbox", { name: "Link to this meeting" }).inputValue();
}

/** Finds somebody by the beginning of the name, and chooses with the keyboard. */
export async function choose(page, label, beginning, displayName) {
  const field = page.getByRole("combobox", { name: label });
  await field.fill(beginning);
  const option = page.getByRole("option", { name: displayName });
  await option.waitFor();
  while ((await option.getAttribute("aria-selected")) !== "true") await field.press("ArrowDown");
  await field.press("Enter");
}

/** Opens a meeting as a guest who is not known yet, up to the answer to the first try to join. */
export async function tryAsGuest(page, address, name) {
  await page.goto(address);
  await page.getByRole("textbox", { name: "Your name" }).fill(name);
  await button(page, "Join").click();
}

/** The program that plays the OpenID provider. */
export const OIDC_PEER =
  process.env.TRIBUTARY_TEST_OIDC ??
  path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../peers/oidc_provider.mjs");

/** Somebody in the roster, by the beginning of what is said of them. */
export const inRoster = (page, name) =>
  page.getByRole("region", { name: "Participants" }).getByRole("listitem", { name });

/** Chooses an action of the menu of that name; of what must be confirmed both items are given. */
export async function act(page, menu, ...items) {
  await button(page, menu).click();
  for (const item of items) await page.getByRole("menuitem", { name: item, exact: true }).click();
}

/** What stands in the field for chat messages. */
export const messageField = (page) => page.getByRole("textbox", { name: "Message", exact: true });

export const isFocused = (locator) =>
  locator.evaluate((element) => element === document.activeElement);

/** Opens the chat, whatever is unread, and resolves with its panel. */
export async function openChat(page) {
  const toggle = page.getByRole("button", { name: /^Chat(, |$)/ });
  if ((await toggle.getAttribute("aria-expanded")) !== "true") await toggle.click();
  return page.getByRole("region", { name: "Chat", exact: true });
}
