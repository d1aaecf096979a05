import { describe, expect, it } from "vitest";
import { sizeText } from "../src/attachments/attachment";
import { AttachmentStore, passHeaders, reasonOf, shortName } from "../src/attachments/store";
import {
  addressesIn,
  endOf,
  isLifetime,
  qrImage,
  stateOf,
  wrongAddress,
} from "../src/sharing/share";
import type { Share } from "../src/sharing/share";

const HOUR = 3600 * 1000;
const DAY = 24 * HOUR;

describe("share", () => {
  const share: Share = {
    id: "s",
    form: { kind: "link" },
    createdBy: "u",
    createdAtMs: 0,
    expiresAtMs: undefined,
    revokedAtMs: undefined,
  };

  it("holds until it ends or is taken back", () => {
    expect(stateOf(share, 5)).toBe("holds");
    expect(stateOf({ ...share, expiresAtMs: 6 }, 5)).toBe("holds");
    expect(stateOf({ ...share, expiresAtMs: 5 }, 5)).toBe("expired");
    expect(stateOf({ ...share, expiresAtMs: 5, revokedAtMs: 1 }, 5)).toBe("revoked");
  });

  it("ends when its lifetime says so", () => {
    expect(endOf("hour", 1)).toBe(1 + HOUR);
    expect(endOf("day", 1)).toBe(1 + DAY);
    expect(endOf("week", 1)).toBe(1 + 7 * DAY);
    expect(endOf("never", 1)).toBeUndefined();
    expect([isLifetime("week"), isLifetime("year")]).toEqual([true, false]);
  });

  it("goes to the addresses in what was typed, each once", () => {
    expect(addressesIn(" a@x.org, b@y.org;a@x.org\nc@z.org，d@w.org ")).toEqual([
      "a@x.org",
      "b@y.org",
      "c@z.org",
      "d@w.org",
    ]);
    expect(addressesIn(" , ")).toEqual([]);
    expect(wrongAddress(["a@x.org", "b"])).toBe("b");
    expect(wrongAddress(["a@x.org"])).toBeUndefined();
    for (const bad of ["@x", "a@", "a@b@c", "<a@x>"]) expect(wrongAddress([bad])).toBe(bad);
  });

  it("shows its code as an image that can't break out of its address", () => {
    const image = qrImage('<svg viewBox="0 0 1 1">#</svg>');
    expect(image).toMatch(/^data:image\/svg\+xml;charset=utf-8,[A-Za-z0-9%.!~*'()_-]+$/);
  });
});

describe("attachments", () => {
  const pass = { identityToken: "t", secret: "", password: "" };

  it("have sizes as people read them", () => {
    expect(sizeText(1, "en")).toBe("1 byte");
    expect(sizeText(123_456, "en")).toBe("123 kB");
    expect(sizeText(1_440_000, "en")).toBe("1.4 MB");
    expect(sizeText(999_600, "en")).toBe("1 MB");
  });

  it("are asked for in somebody's name, with a password in any script", () => {
    expect(passHeaders(pass)).toEqual({ authorization: "Bearer t" });
    const outsider = passHeaders({ identityToken: "t", secret: "s", password: "密" });
    expect(outsider["tributary-share-secret"]).toBe("s");
    expect(new Headers(outsider).get("tributary-password")).toBe("\u00e5\u00af\u0086");
  });

  it("keep the ending of a name that is too long", () => {
    expect(shortName("a.pdf")).toBe("a.pdf");
    const short = shortName(`${"字".repeat(300)}.pdf`);
    expect([...short]).toHaveLength(200);
    expect(short.endsWith("字.pdf")).toBe(true);
  });

  it("go to the meeting's address, and failures become reasons", async () => {
    const sent: [string, RequestInit | undefined][] = [];
    let status = 201;
    const store = new AttachmentStore(
      () => pass,
      async (input, init) => {
        sent.push([String(input), init]);
        return new Response("x", { status });
      },
    );
    const file = new File(["x"], "a b?.txt", { type: "text/plain" });
    expect(await store.attach("42", file)).toEqual({ ok: true, value: undefined });
    const [path, options] = sent[0] ?? [];
    expect(path).toBe("/meetings/42/attachments?name=a%20b%3F.txt");
    expect(options).toMatchObject({ method: "POST", cache: "no-store" });
    expect(options?.headers).toEqual({ "content-type": "text/plain", authorization: "Bearer t" });
    status = 200;
    expect(await store.read("42", "a/1")).toMatchObject({ ok: true });
    expect(sent[1]?.[0]).toBe("/meetings/42/attachments/a%2F1");
    status = 413;
    expect(await store.attach("42", file)).toEqual({ ok: false, reason: "limit" });
    expect([401, 403, 404, 503, 400, 418].map(reasonOf)).toEqual([
      "expired",
      "forbidden",
      "notAdmitted",
      "tryAgain",
      "malformed",
      "unspecified",
    ]);
    const offline = new AttachmentStore(
      () => pass,
      () => Promise.reject(new TypeError("offline")),
    );
    expect(await offline.read("42", "1")).toEqual({ ok: false, reason: "unreachable" });
  });
});
