/** A loopback address of RFC 8252 §7.3; `localhost` is none, for a resolver may send it elsewhere. */
const LOOPBACK = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]))(?::(\d{1,5}))?(\/.*)?$/
const LONGEST = 2_048

/**
 * Whether a client may have its answer sent to `wanted` (RFC 9700 §2.1): it is registered, byte for
 * byte. Of a registered loopback address only the port is free, since a native application gets
 * another one each time it listens.
 */
export function isRegisteredRedirect(registered: readonly string[], wanted: string): boolean {
  if (wanted.length > LONGEST) return false
  return registered.some((uri) => uri === wanted || differInPortAlone(uri, wanted))
}

function differInPortAlone(registered: string, wanted: string): boolean {
  const [, host, , path = ''] = LOOPBACK.exec(registered) ?? []
  const [, wantedHost, port = '80', wantedPath = ''] = LOOPBACK.exec(wanted) ?? []
  return host !== undefined && host === wantedHost && path === wantedPath && isPort(port)
}

function isPort(text: string): boolean {
  return !text.startsWith('0') && Number(text) <= 65_535
}

/**
 * The redirect URI with parameters behind those it has. What was registered stays as it is: taking it
 * apart and writing it anew could send the answer elsewhere.
 */
export function withParameters(
  redirectUri: string,
  parameters: Readonly<Record<string, string | undefined>>,
): string {
  const given = Object.entries(parameters).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  const joint = redirectUri.includes('?') ? (/[?&]$/.test(redirectUri) ? '' : '&') : '?'
  return `${redirectUri}${joint}${new URLSearchParams(given).toString()}`
}
