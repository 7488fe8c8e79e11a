// An OpenID provider with a few users, for tests: `node oidc_provider.mjs PORT`, its settings as JSON in OIDC_SETTINGS.
const settings = JSON.parse(process.env.OIDC_SETTINGS)
const { default: Provider } = await import(`file://${settings.package}/lib/index.js`)
const port = Number(process.argv[2])
const issuer = `http://127.0.0.1:${port}`

const provider = new Provider(issuer, {
  clients: settings.clients,
  jwks: { keys: settings.keys },
  pkce: { required: () => true },
  scopes: ["openid", "profile", "groups", "search:read", "images:read", "admin"],
  claims: { openid: ["sub"], profile: ["preferred_username"], groups: ["groups"] },
  cookies: { keys: ["of a test"] },
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => undefined,
      getResourceServerInfo: (context, indicator) => ({
        scope: "search:read images:read admin",
        audience: indicator,
        accessTokenFormat: indicator.endsWith(":opaque") ? "opaque" : "jwt",
        jwt: { sign: { alg: settings.access_token_alg } },
      }),
    },
  },
  // Whatever name is typed is a user, in the groups that the settings have for them.
  findAccount: (context, id) => ({
    accountId: id,
    claims: () => ({ sub: `subject-${id}`, preferred_username: id, groups: settings.groups[id] ?? [] }),
  }),
})
provider.listen(port, "127.0.0.1")
