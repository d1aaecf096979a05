// The terminal's key: ECDSA P-256, never extractable, living as long as the tab. It is what makes
// the same participant come back after a lost connection, and two tabs two participants.

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256" } as const;
const SIGNATURE = { name: "ECDSA", hash: "SHA-256" } as const;
const LABEL = "tributary-join-v1";

type Bytes = Uint8Array<ArrayBuffer>;

export class TerminalKey {
  private constructor(
    private readonly privateKey: CryptoKey,
    /** Uncompressed point (SEC 1), 65 bytes. */
    readonly publicKey: Bytes,
  ) {}

  static async generate(): Promise<TerminalKey> {
    const pair = await crypto.subtle.generateKey(ALGORITHM, false, ["sign", "verify"]);
    const raw = await crypto.subtle.exportKey("raw", pair.publicKey);
    return new TerminalKey(pair.privateKey, new Uint8Array(raw));
  }

  /** Signature (r and s, 64 bytes) that shows possession of the key to one connection. */
  async prove(nonce: Uint8Array, joinCredential: string): Promise<Bytes> {
    const challenge = await joinChallenge(nonce, joinCredential);
    return new Uint8Array(await crypto.subtle.sign(SIGNATURE, this.privateKey, challenge));
  }
}

/** The bytes that are signed: label ‖ 0x00 ‖ nonce ‖ SHA-256(join credential). */
export async function joinChallenge(nonce: Uint8Array, joinCredential: string): Promise<Bytes> {
  const text = new TextEncoder();
  const label = text.encode(LABEL);
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", text.encode(joinCredential)));
  const bytes = new Uint8Array(label.length + 1 + nonce.length + digest.length);
  bytes.set(label, 0);
  bytes.set(nonce, label.length + 1);
  bytes.set(digest, label.length + 1 + nonce.length);
  return bytes;
}

/** False on plain-http pages other than localhost: there is no key and no microphone. */
export function keysAvailable(): boolean {
  return globalThis.isSecureContext && globalThis.crypto?.subtle !== undefined;
}
