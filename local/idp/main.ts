// The identity provider's own process: the only one of the stack that loads oidc-provider.
import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Provider } from 'oidc-provider'
import { type Fault, underFault } from '../faults.ts'
import { readBody } from '../read-body.ts'
import { openKeys } from './keys.ts'
import { orderedFaults } from './ordered-faults.ts'
import { errorPage, loginPage } from './pages.ts'
import { accountsOf, createProvider } from './provider.ts'
import type { Account, IdpSettings } from './settings.ts'

const settings = JSON.parse(process.env['IDP_SETTINGS'] ?? '{}') as IdpSettings
const issuer = `http://127.0.0.1:${settings.port}`
const accounts = accountsOf(settings.tenants)
const provider = createProvider(issuer, settings, openKeys(settings.dataDir), accounts)
const callback = provider.callback()
const sessions = trackSessions(provider)
const faults = orderedFaults()

createServer((request, response) => {
  route(request, response).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error)
    html(response, 400, errorPage('invalid_request', message))
  })
}).listen(settings.port, '127.0.0.1')

// The parent holds the other end: when it dies, however it dies, this process does too.
process.stdin.resume().on('end', () => process.exit(0))

async function route(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const path = new URL(request.url ?? '/', issuer).pathname
  if (await faults.answer(path, request, response)) return
  if (path === '/admin/logout' && request.method === 'POST') return endSessions(request, response)
  const wrong = faults.take(path)
  // The provider answers by itself: a lost answer has to be held back before there is one.
  if (wrong?.mode === 'lostAnswer') response.end = () => response
  return underFault(
    wrong,
    () => (path.startsWith('/interaction/') ? interact(request, response) : callback(request, response)),
    (how) => fail(request, response, how),
  )
}

function fail(request: IncomingMessage, response: ServerResponse, { mode, code }: Fault): void {
  if (mode === 'error') html(response, code ?? 503, errorPage('temporarily_unavailable', 'try again later'))
  else request.socket.destroy()
}

/** Shows the form, or takes what was sent. Only an account of the client's own tenant may pass. */
async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const interaction = await provider.interactionDetails(request, response)
  const clientId = String(interaction.params['client_id'])
  const action = `/interaction/${interaction.uid}`
  const hint = interaction.params['login_hint']
  if (request.method !== 'POST') {
    html(response, 200, loginPage(action, clientId, typeof hint === 'string' ? hint : ''))
    return
  }
  const form = new URLSearchParams(await readText(request))
  if (form.has('cancel')) {
    const refusal = { error: 'access_denied', error_description: 'the user cancelled' }
    return provider.interactionFinished(request, response, refusal)
  }
  const login = form.get('login') ?? ''
  const account = findAccount(clientId, login, form.get('password') ?? '')
  if (account === undefined) {
    html(response, 401, loginPage(action, clientId, login, 'The e-mail address or the password is wrong.'))
    return
  }
  const result = { login: { accountId: account.subject, acr: 'urn:energent:local:password', amr: ['pwd'] } }
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false })
}

function findAccount(clientId: string, login: string, password: string): Account | undefined {
  const tenant = settings.tenants.find((one) => one.clientId === clientId)
  return [...accounts.values()].find(
    (account) =>
      account.tenantId === tenant?.tenantId &&
      account.login.toLowerCase() === login.trim().toLowerCase() &&
      sameText(account.password, password),
  )
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}

type KnownSession = {
  readonly subject: string
  readonly clientId: string
  readonly sid: string
  readonly uid: string
}

/** Remembers which client holds which session, so that an administrator can end them all. */
function trackSessions(source: Provider): Map<string, KnownSession> {
  const known = new Map<string, KnownSession>()
  source.on(
    'grant.success',
    (context: { oidc: { entities: { [kind: string]: { [field: string]: unknown } } } }) => {
      const code = context.oidc.entities['AuthorizationCode']
      const subject = code?.['accountId']
      const clientId = code?.['clientId']
      const sid = code?.['sid']
      const uid = code?.['sessionUid']
      if ([subject, clientId, uid].some((value) => typeof value !== 'string')) return
      const session = {
        subject: String(subject),
        clientId: String(clientId),
        sid: String(sid ?? ''),
        uid: String(uid),
      }
      known.set(`${session.uid}/${session.clientId}`, session)
    },
  )
  return known
}

/** `POST /admin/logout {"login"}`: what an administrator's "sign out everywhere" does. */
async function endSessions(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { login } = JSON.parse(await readText(request)) as { login: string }
  let told = 0
  for (const [key, session] of sessions) {
    if (accounts.get(session.subject)?.login.toLowerCase() !== login.toLowerCase()) continue
    sessions.delete(key)
    const client = await provider.Client.find(session.clientId)
    if (client?.backchannelLogoutUri !== undefined) {
      // A client that cannot be told keeps nobody else's session alive.
      const reached = await client.backchannelLogout(session.subject, session.sid).then(
        () => true,
        () => false,
      )
      if (reached) told += 1
    }
    await (await provider.Session.findByUid(session.uid))?.destroy()
  }
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ told }))
}

async function readText(request: IncomingMessage): Promise<string> {
  return (await readBody(request)).toString()
}

function html(response: ServerResponse, status: number, body: string): void {
  if (response.headersSent) return
  response.writeHead(status, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-store',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
  })
  response.end(body)
}
