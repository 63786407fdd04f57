// A real OpenID Connect issuer (oidc-provider) on loopback: prints its address as a line, and ends when its stdin does.
//
//   node oidc_issuer.mjs FOLDER_WITH_NODE_MODULES REDIRECT_URI CLIENT_ID CLIENT_SECRET
//
// People sign in on its own development pages: whatever name they type is their subject.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import { pathToFileURL } from "node:url";
import { join } from "node:path";

const [folder, redirectUri, clientId, clientSecret] = process.argv.slice(2);
const require = createRequire(pathToFileURL(join(folder, "node_modules", "x.js")));
const { default: Provider } = await import(pathToFileURL(require.resolve("oidc-provider")));

const key = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" });
const configuration = {
  clients: [
    { client_id: clientId, client_secret: clientSecret, redirect_uris: [redirectUri], response_types: ["code"] },
  ],
  jwks: { keys: [{ ...key, kid: randomUUID(), use: "sig", alg: "RS256" }] },
  cookies: { keys: [randomUUID()] },
  conformIdTokenClaims: false,
  claims: { openid: ["sub", "groups"], profile: ["name"] },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, name: `${sub} of Acme`, groups: sub === "mallory" ? ["visitors"] : ["staff"] }),
  }),
  pkce: { required: () => true },
};

const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const url = `http://localhost:${server.address().port}`;
  server.on("request", new Provider(url, configuration).callback());
  console.log(url);
});
process.stdin.on("end", () => process.exit(0)).resume();
