import { createHash } from 'node:crypto'
import type { ApiReply } from '#shared/http/types.ts'
import { REFUSALS } from '#shared/refusals.ts'
import type { Refusal } from '#shared/result.ts'
import type { Redirection } from './operations/begin-sign-in.ts'

/** What stands in front of a name, so that no subdomain and no plain connection can set it (RFC 6265bis §4.1.3). */
const HOST_PREFIX = '__Host-'
const COOKIE = 'flow'
const COOKIE_SECONDS = 600

/**
 * The name of the cookie that binds a sign-in to its browser. A stack on plain http is a local one:
 * browsers keep no `__Host-` cookie there.
 */
export function flowCookieName(issuer: string): string {
  return issuer.startsWith('https:') ? `${HOST_PREFIX}${COOKIE}` : COOKIE
}

/** Sends the browser on. `Lax`, because it comes back from the provider by a link of another site. */
export function redirectReply(redirection: Redirection, issuer: string): ApiReply {
  const { location, browserKey, logged } = redirection
  const secure = issuer.startsWith('https:') ? '; Secure' : ''
  const cookie = `${flowCookieName(issuer)}=${browserKey}; Path=/; Max-Age=${COOKIE_SECONDS}; HttpOnly; SameSite=Lax${secure}`
  return {
    status: 302,
    headers: {
      location,
      'cache-control': 'no-store',
      pragma: 'no-cache',
      ...(browserKey === undefined ? {} : { 'set-cookie': cookie }),
    },
    logged,
  }
}

/** Readable on a telephone and in the dark; the only style that the page's own policy lets in. */
const STYLE =
  ':root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}main{max-width:34rem;margin:15vh auto;padding:0 1rem}h1{font-size:1.4rem;line-height:1.3}'
const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')
const WHAT_TO_DO =
  'Close this page and start again from the application. If you come back here, tell its support the code below.'

/**
 * A refusal as a person reads it: what happened and what to do, without script or picture, and without a
 * word that was sent to us.
 */
export function pageReply(refusal: Refusal): ApiReply {
  const { status, title } = REFUSALS[refusal.code]
  const text = refusal.code in HINTED ? (refusal.hint ?? '') : ''
  return {
    status,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; frame-ancestors 'none'`,
      'cache-control': 'no-store',
      ...(status === 429 || status === 503 ? { 'retry-after': '1' } : {}),
    },
    text: `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Sign-in</title><style>${STYLE}</style></head>
<body><main><h1>${escapeHtml(title)}</h1>${text === '' ? '' : `<p>${escapeHtml(text)}</p>`}<p>${WHAT_TO_DO}</p><p><code>${escapeHtml(refusal.code)}</code></p></main></body>
</html>
`,
  }
}

/** The refusals whose hint is a constant text for a person. */
const HINTED: Partial<Record<Refusal['code'], true>> = {
  'authorization.invalid': true,
  'callback.invalid': true,
  'rate.limited': true,
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
