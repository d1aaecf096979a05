import { describe, expect, it } from "vitest";
import { cleanAddress, comeBack, goAway, redirectUri, wayBackOf } from "../src/app/oidc";
import { NameBook } from "../src/members/names";
import { tabKey } from "../src/session/keyring";
import type { Surroundings } from "../src/session/keyring";
import type { KeptKey } from "../src/session/key";
import { TabMemory } from "../src/session/tab";
import { FakeStorage } from "./storage";

describe("the tab's key", () => {
  function browser(tab: FakeStorage, keys: Map<string, KeptKey>, free = true): Surroundings {
    return {
      tab,
      shelf: {
        take: async (id) => keys.get(id),
        put: async (id, key) => void keys.set(id, key),
      },
      claim: async () => free,
    };
  }

  it("is the same after a reload, and can't be read out", async () => {
    const [tab, keys] = [new FakeStorage(), new Map<string, KeptKey>()];
    const first = await tabKey(browser(tab, keys));
    expect(first.kept).toBe(false);
    expect(first.key.kept.privateKey.extractable).toBe(false);
    const again = await tabKey(browser(tab, keys));
    expect(again.kept).toBe(true);
    expect(again.key.publicKey).toEqual(first.key.publicKey);
  });

  it("is a new one in another tab, and in a tab that was duplicated", async () => {
    const [tab, keys] = [new FakeStorage(), new Map<string, KeptKey>()];
    const first = await tabKey(browser(tab, keys));
    const other = await tabKey(browser(new FakeStorage(), keys));
    const duplicate = await tabKey(browser(tab, keys, false));
    expect([other.kept, duplicate.kept]).toEqual([false, false]);
    expect(other.key.publicKey).not.toEqual(first.key.publicKey);
    expect(duplicate.key.publicKey).not.toEqual(first.key.publicKey);
  });

  it("lives without storage, and when the kept one is gone", async () => {
    const nothing = { tab: undefined, shelf: undefined, claim: async () => true };
    expect((await tabKey(nothing)).kept).toBe(false);
    const [tab, keys] = [new FakeStorage(), new Map<string, KeptKey>()];
    await tabKey(browser(tab, keys));
    keys.clear();
    expect((await tabKey(browser(tab, keys))).kept).toBe(false);
    const broken = browser(tab, keys);
    const failing = { ...broken.shelf!, take: () => Promise.reject(new Error("broken")) };
    expect((await tabKey({ ...broken, shelf: failing })).kept).toBe(false);
  });
});

describe("what the tab remembers", () => {
  it("outlives a reload, bounded, and credentials go with the log-in", () => {
    const storage = new FakeStorage();
    const memory = new TabMemory(storage);
    for (let id = 1; id <= 60; id++) memory.keep(String(id), { secret: `s${id}` });
    memory.keep("60", { credential: "c" });
    const reloaded = new TabMemory(storage);
    expect(reloaded.secretOf("60")).toBe("s60");
    expect(reloaded.credentialOf("60")).toBe("c");
    expect(reloaded.secretOf("1")).toBe("");
    reloaded.forgetCredentials();
    expect(new TabMemory(storage).credentialOf("60")).toBe("");
    expect(new TabMemory(storage).secretOf("60")).toBe("s60");
  });

  it.each(["{", "7", "[1]", '[["a"]]', '[["a",{"secret":1}]]'])("survives %s", (text) => {
    const storage = new FakeStorage();
    storage.setItem("tributary.links", text);
    expect(new TabMemory(storage).secretOf("a")).toBe("");
    storage.setItem("tributary.names", text);
    expect(new NameBook(storage).names.get().size).toBe(0);
  });
});

describe("log-in at another site", () => {
  it("comes back to the page that it began on, without what came along", () => {
    expect(wayBackOf("?code=c&state=s&iss=x")).toEqual({
      kind: "code",
      code: "c",
      state: "s",
      issuer: "x",
    });
    expect(wayBackOf("?code=c&state=s")).toMatchObject({ issuer: "" });
    expect(wayBackOf("?error=access_denied&state=s")).toEqual({ kind: "refused", state: "s" });
    for (const other of ["", "?name=Ada", "?code=c", "?state=s"]) {
      expect(wayBackOf(other)).toBeUndefined();
    }
    const page = "https://meet.example/x/?lang=en&code=c&state=s&iss=i#old";
    expect(cleanAddress(page, "#/m/7")).toBe("https://meet.example/x/?lang=en#/m/7");
    expect(redirectUri(page)).toBe("https://meet.example/x/");
  });

  it("is remembered once, in this tab", () => {
    const storage = new FakeStorage();
    goAway({ state: "s", hash: "#/m/7" }, storage);
    expect(comeBack(storage)).toEqual({ state: "s", hash: "#/m/7" });
    expect(comeBack(storage)).toBeUndefined();
    storage.setItem("tributary.oidc", "{");
    expect(comeBack(storage)).toBeUndefined();
  });
});
