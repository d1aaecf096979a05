// A person's initials on a colour of their own, with a dot that says whether they are there.

/** One to two characters that stand for a name; of CJK names the last two, as is usual. */
export function initialsOf(name: string): string {
  const words = name.trim().split(/\s+/).filter(Boolean);
  const letters = (word: string) => [...word];
  const only = letters(words[0] ?? "");
  if (words.length <= 1 && /^\p{Script=Han}+$/u.test(only.join(""))) return only.slice(-2).join("");
  const first = only[0] ?? "?";
  const last = words.length > 1 ? (letters(words[words.length - 1] ?? "")[0] ?? "") : "";
  return (first + last).toLocaleUpperCase();
}

/** One of the palette's colours, always the same for the same person. */
export function hueOf(userId: string): number {
  let hash = 0;
  for (const character of userId) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) >>> 0;
  return hash % 8;
}

export type Dot = "online" | "away" | "offline";

interface Props {
  name: string;
  userId: string;
  speaking: boolean;
  /** Its shape differs too, and what it says stands in words beside it. */
  dot?: Dot | undefined;
}

export function Avatar({ name, userId, speaking, dot }: Props) {
  return (
    <span class={`avatar hue-${hueOf(userId)} ${speaking ? "speaking" : ""}`}>
      <span aria-hidden="true">{initialsOf(name)}</span>
      {dot !== undefined && <span class={`presence ${dot}`} aria-hidden="true" />}
    </span>
  );
}
