// Whether somebody is typing, and where: keys are not taken from them, and nothing is laid over it.

/** Inputs that take no text. */
const NO_TEXT = new Set(["checkbox", "radio", "button", "file", "range", "submit"]);

/** True if keys pressed at this element are meant for it. */
export function takesText(target: EventTarget | null): boolean {
  if (!isElement(target)) return false;
  if (target.tagName === "INPUT") return !NO_TEXT.has(target.getAttribute("type") ?? "text");
  return /^(TEXTAREA|SELECT)$/.test(target.tagName) || target.closest("[contenteditable]") !== null;
}

/** True if the element does something by itself when the space bar is pressed. */
export function takesSpace(target: EventTarget | null): boolean {
  if (!isElement(target)) return false;
  return (
    target.closest("button, a[href], summary, input, select, textarea, [role=slider]") !== null
  );
}

/** Elements of another window are no `Element` of this one. */
function isElement(target: EventTarget | null): target is Element {
  return target !== null && "tagName" in target;
}
