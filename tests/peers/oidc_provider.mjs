#!/usr/bin/env node
// A real OpenID provider for tests (npm's oidc-provider), with one client and any number of users.
//
// The first line on stdout is its issuer, such as http://127.0.0.1:40123. A user is whoever the log-in
// names: `login_hint` of the authorization request logs in by itself, otherwise a form asks for a
// name. It ends with the process that started it.

import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

/** Milliseconds between two looks at whether the starter still lives. */
const PARENT_INTERVAL = 1000;
/** The longest form that is read, in bytes. */
const FORM_MAX = 4096;
/** What a user may be called. */
const LOGIN = /^[a-z0-9._-]{1,40}$/;

const { values: chosen } = parseArgs({
  options: {
    // Port to listen on; 0: any free one.
    port: { type: "string", default: "0" },
    "client-id": { type: "string", default: "tributary" },
    // Empty: a public client.
    "client-secret": { type: "string", default: "secret-of-the-tests" },
    // May be repeated; at least one.
    "redirect-uri": { type: "string", multiple: true, default: [] },
    // Seconds that an ID token is valid.
    "id-token-seconds": { type: "string", default: "300" },
    // Signature of ID tokens: RS256, ES256, EdDSA, ...
    algorithm: { type: "string", default: "RS256" },
  },
});
if (chosen["redirect-uri"].length === 0) fail("--redirect-uri is missing");

const { Provider, generateKeyPair, exportJWK } = await packages();
const server = createServer();
await new Promise((resolve) => server.listen(Number(chosen.port), "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, await configuration());
provider.on("server_error", (_, error) => console.error(error));
server.on("request", answer);
console.log(issuer);

const parent = process.ppid;
setInterval(() => process.ppid === parent || process.exit(), PARENT_INTERVAL);

async function packages() {
  try {
    const [{ Provider }, jose] = await Promise.all([import("oidc-provider"), import("jose")]);
    return { Provider, ...jose };
  } catch (error) {
    return fail(`${error.message}: run \`scripts/provision oidc\``);
  }
}

async function configuration() {
  const { privateKey } = await generateKeyPair(chosen.algorithm, { extractable: true });
  const key = { ...(await exportJWK(privateKey)), alg: chosen.algorithm, use: "sig", kid: randomBytes(8).toString("hex") };
  const secret = chosen["client-secret"];
  return {
    jwks: { keys: [key] },
    cookies: { keys: [randomBytes(32).toString("hex")] },
    clients: [
      {
        client_id: chosen["client-id"],
        ...(secret ? { client_secret: secret } : { token_endpoint_auth_method: "none" }),
        redirect_uris: chosen["redirect-uri"],
        response_types: ["code"],
        grant_types: ["authorization_code"],
        id_token_signed_response_alg: chosen.algorithm,
      },
    ],
    enabledJWA: { idTokenSigningAlgValues: [chosen.algorithm] },
    pkce: { required: () => true },
    scopes: ["openid", "profile", "email"],
    claims: {
      openid: ["sub"],
      profile: ["name", "preferred_username"],
      email: ["email", "email_verified"],
    },
    // The ID token carries the claims of its scopes, as most providers' do.
    conformIdTokenClaims: false,
    ttl: {
      AccessToken: 300,
      AuthorizationCode: 60,
      Grant: 3600,
      IdToken: Number(chosen["id-token-seconds"]),
      Interaction: 3600,
      Session: 3600,
    },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    findAccount: (_, login) => ({ accountId: login, claims: () => claims(login) }),
    loadExistingGrant: consent,
  };
}

/** `ada.lovelace` is called "Ada Lovelace". */
function claims(login) {
  const name = login.replace(/[._-]+/g, " ").replace(/\b[a-z]/g, (letter) => letter.toUpperCase());
  return {
    sub: login,
    name,
    preferred_username: login,
    email: `${login}@example.org`,
    email_verified: true,
  };
}

/** Everybody agrees to what the client asks for. */
async function consent(ctx) {
  const grant = new provider.Grant({
    clientId: ctx.oidc.client.clientId,
    accountId: ctx.oidc.session.accountId,
  });
  grant.addOIDCScope("openid profile email");
  await grant.save();
  return grant;
}

async function answer(request, response) {
  if (!request.url.startsWith("/interaction/")) return provider.callback()(request, response);
  try {
    await interact(request, response);
  } catch (error) {
    response.writeHead(400, { "content-type": "text/plain" }).end(`${error.message}\n`);
  }
}

/** Logs in who is named, or asks for the name. */
async function interact(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const form = request.method === "POST" ? await read(request) : new URLSearchParams();
  if (form.has("cancel")) {
    const result = { error: "access_denied", error_description: "the user cancelled" };
    return provider.interactionFinished(request, response, result);
  }
  const login = form.get("login") ?? params.login_hint;
  if (login === undefined) return ask(response);
  if (!LOGIN.test(login)) throw new Error(`a user's name is ${LOGIN}`);
  return provider.interactionFinished(request, response, { login: { accountId: login } });
}

function ask(response) {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(`<!doctype html>
<html lang="en">
<title>Log in</title>
<form method="post">
<label>Name <input name="login" autofocus></label>
<button name="go">Log in</button>
<button name="cancel">Cancel</button>
</form>
`);
}

async function read(request) {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
    if (text.length > FORM_MAX) throw new Error("the form is too long");
  }
  return new URLSearchParams(text);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
