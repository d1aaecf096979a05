// A person's initials on a colour of their own.

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

export function Avatar(props: { name: string; userId: string; speaking: boolean }) {
  return (
    <span class={`avatar hue-${hueOf(props.userId)} ${props.speaking ? "speaking" : ""}`}>
      <span aria-hidden="true">{initialsOf(props.name)}</span>
    </span>
  );
}
