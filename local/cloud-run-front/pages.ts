import type { ServerResponse } from 'node:http'
import { escapeHtml } from '#local/escape-html.ts'

/** An answer of Cloud Run's own, in place of the function's. */
export type FrontReply = {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

/** An answer of one line of text, as Cloud Run gives where it shows no page. */
export function plainReply(status: number, body: string): FrontReply {
  return { status, contentType: 'text/plain', body }
}

/** No valid token for this service. `presented` tells whether there was one at all. */
export function unauthorizedPage(presented: boolean): FrontReply {
  const challenge = presented
    ? 'Bearer error="invalid_token" error_description="The access token could not be verified"'
    : 'Bearer'
  const body = page(
    '401 Unauthorized',
    'Error: Unauthorized',
    'Your client does not have permission to the requested URL.',
  )
  return { status: 401, contentType: HTML, body, headers: { 'WWW-Authenticate': challenge } }
}

/** A valid token of an account that may not invoke the service. */
export function forbiddenPage(path: string): FrontReply {
  const text = `Your client does not have permission to get URL <code>${escapeHtml(path)}</code> from this server.`
  return { status: 403, contentType: HTML, body: page('403 Forbidden', 'Error: Forbidden', text) }
}

/** The service exists, but not for calls from outside. */
export function ingressPage(): FrontReply {
  const text = 'The requested URL was not found on this server.'
  return { status: 404, contentType: HTML, body: page('404 Page not found', 'Error: Page not found', text) }
}

/** The function behind gave no answer. */
export function failurePage(): FrontReply {
  return plainReply(503, 'upstream connect error or disconnect/reset before headers')
}

/** Sends an answer of the front's own, unless the function's has begun. */
export function sendFrontReply(response: ServerResponse, reply: FrontReply): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(reply.status, {
    'Content-Type': reply.contentType,
    'Content-Length': Buffer.byteLength(reply.body),
    ...reply.headers,
  })
  response.end(reply.body)
}

const HTML = 'text/html; charset=UTF-8'

function page(title: string, heading: string, text: string): string {
  return `<html><head><title>${title}</title></head>\n<body><h1>${heading}</h1><h2>${text}</h2></body></html>\n`
}
