// Keeps what is laid over the page away from the field in which somebody types.

import type { RefObject } from "preact";
import { useEffect, useState } from "preact/hooks";
import { takesText } from "./typing";

/**
 * The first of the places in which the element does not cover the field that has the focus; each is a
 * class of the element. `version` changes when the element's size may have.
 */
export function useClear(
  element: RefObject<HTMLElement | null>,
  places: readonly string[],
  version: unknown,
): string {
  const [place, setPlace] = useState(places[0] ?? "");
  useEffect(() => {
    const look = () => {
      const { current } = element;
      if (current !== null) setPlace(clearPlace(current, places));
    };
    look();
    addEventListener("focusin", look);
    addEventListener("resize", look);
    return () => {
      removeEventListener("focusin", look);
      removeEventListener("resize", look);
    };
  }, [element, places, version]);
  return place;
}

/** Tries the places in order; leaves the element as it was. */
function clearPlace(element: HTMLElement, places: readonly string[]): string {
  const [first = ""] = places;
  const field = document.activeElement;
  if (field === null || !takesText(field)) return first;
  const typed = field.getBoundingClientRect();
  const before = element.className;
  const clear = places.find((place) => {
    element.classList.remove(...places);
    element.classList.add(place);
    return !overlap(element.getBoundingClientRect(), typed);
  });
  element.className = before;
  return clear ?? first;
}

function overlap(a: DOMRect, b: DOMRect): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/** Whether somebody is in a field that takes text. */
export function useTyping(): boolean {
  const [typing, setTyping] = useState(false);
  useEffect(() => {
    const look = () => setTyping(takesText(document.activeElement));
    look();
    addEventListener("focusin", look);
    addEventListener("focusout", look);
    return () => {
      removeEventListener("focusin", look);
      removeEventListener("focusout", look);
    };
  }, []);
  return typing;
}
