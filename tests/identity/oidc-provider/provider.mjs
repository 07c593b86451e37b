// npm oidc-provider with the people of the tests; prints one JSON line when it listens.
// argv: client secret, redirect URI, post-logout redirect URI, lifetime of ID tokens in seconds,
// back-channel logout URI (may be empty)
import http from 'node:http';
import Provider from 'oidc-provider';

const [secret, redirectUri, afterLogout, idTokenSeconds, backchannelLogout] = process.argv.slice(2);
const groups = { analyst: ['analysts'], analyst2: ['analysts'], reviewer: ['reviewers'] };

const server = http.createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'jupyter-zt',
        client_secret: secret,
        redirect_uris: [redirectUri],
        post_logout_redirect_uris: [afterLogout],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        ...(backchannelLogout && {
          backchannel_logout_uri: backchannelLogout,
          backchannel_logout_session_required: true,
        }),
      },
      {
        client_id: 'jupyter-zt-cli',
        token_endpoint_auth_method: 'none',
        redirect_uris: [],
        grant_types: ['urn:ietf:params:oauth:grant-type:device_code', 'refresh_token'],
        response_types: [],
      },
    ],
    claims: { openid: ['sub'], profile: ['preferred_username', 'groups'] },
    conformIdTokenClaims: false,
    cookies: { keys: ['only for tests'] },
    features: {
      backchannelLogout: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: true },
      revocation: { enabled: true },
    },
    // Its own would not reach loopback, where the tests' servers are.
    fetch: (url, { dispatcher: _, ...options }) => globalThis.fetch(url, options),
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, preferred_username: id, groups: groups[id] ?? [] }),
    }),
    issueRefreshToken: () => true,
    pkce: { required: () => true },
    rotateRefreshToken: true,
    ttl: { IdToken: Number(idTokenSeconds) },
  });
  server.on('request', provider.callback());
  console.log(JSON.stringify({ issuer }));
});
