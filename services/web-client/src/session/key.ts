// The terminal's key: ECDSA P-256, never extractable. Identities are bound to it; it is what makes
// the same participant come back after a lost connection, and two tabs two participants.

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;
const JOIN_LABEL = "tributary-join-v1";
const REFRESH_LABEL = "tributary-refresh-v1";
const OPERATION_LABEL = "tributary-operation-v1";

type Bytes = Uint8Array<ArrayBuffer>;

/** A key as the browser keeps it: the private part is a handle that can't be read. */
export interface KeptKey {
  readonly privateKey: CryptoKey;
  /** Uncompressed point (SEC 1), 65 bytes. */
  readonly publicKey: Bytes;
}

export class TerminalKey {
  constructor(readonly kept: KeptKey) {}

  static async generate(): Promise<TerminalKey> {
    const pair = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
    const raw = await crypto.subtle.exportKey("raw", pair.publicKey);
    return new TerminalKey({ privateKey: pair.privateKey, publicKey: new Uint8Array(raw) });
  }

  /** Uncompressed point (SEC 1), 65 bytes. */
  get publicKey(): Bytes {
    return this.kept.publicKey;
  }

  /** Signature (r and s, 64 bytes) that shows possession of the key to one connection. */
  async prove(nonce: Uint8Array, joinCredential: string): Promise<Bytes> {
    return this.sign(await joinChallenge(nonce, joinCredential));
  }

  /** Signature that asks for a new identity token; `signedAt` in Unix seconds. */
  async proveRefresh(signedAt: bigint, identityToken: string): Promise<Bytes> {
    return this.sign(await refreshChallenge(signedAt, identityToken));
  }

  /** Signature of an encoded operation, so that a relay can neither change nor invent one. */
  async signOperation(envelope: Uint8Array): Promise<Bytes> {
    return this.sign(operationChallenge(envelope));
  }

  private async sign(challenge: Bytes): Promise<Bytes> {
    return new Uint8Array(await crypto.subtle.sign(SIGNATURE, this.kept.privateKey, challenge));
  }
}

/** The bytes that are signed: label ‖ 0x00 ‖ nonce ‖ SHA-256(join credential). */
export function joinChallenge(nonce: Uint8Array, joinCredential: string): Promise<Bytes> {
  return challengeOf(JOIN_LABEL, nonce, joinCredential);
}

/** The bytes that are signed: label ‖ 0x00 ‖ seconds, 64 bits big-endian ‖ SHA-256(token). */
export function refreshChallenge(signedAt: bigint, identityToken: string): Promise<Bytes> {
  const seconds = new DataView(new ArrayBuffer(8));
  seconds.setBigUint64(0, signedAt);
  return challengeOf(REFRESH_LABEL, new Uint8Array(seconds.buffer), identityToken);
}

/** The bytes that are signed: label ‖ 0x00 ‖ envelope. */
export function operationChallenge(envelope: Uint8Array): Bytes {
  const head = new TextEncoder().encode(`${OPERATION_LABEL}\0`);
  const bytes = new Uint8Array(head.length + envelope.length);
  bytes.set(head, 0);
  bytes.set(envelope, head.length);
  return bytes;
}

async function challengeOf(label: string, fresh: Uint8Array, hashed: string): Promise<Bytes> {
  const text = new TextEncoder();
  const head = text.encode(`${label}\0`);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text.encode(hashed)));
  const bytes = new Uint8Array(head.length + fresh.length + digest.length);
  bytes.set(head, 0);
  bytes.set(fresh, head.length);
  bytes.set(digest, head.length + fresh.length);
  return bytes;
}

/** False on plain-http pages other than localhost: there is no key and no microphone. */
export function keysAvailable(): boolean {
  return globalThis.isSecureContext && globalThis.crypto?.subtle !== undefined;
}
