import { ok, type Result, refuse } from '#shared/result.ts'
import { type ClientId, parseClientId } from '../../functions/auth/domain/client-id.ts'
import { type ClientView, parseNewClient, viewOf } from '../../functions/auth/domain/new-client.ts'
import { createClient } from '../../functions/auth/operations/create-client.ts'
import { rotateClientSecret } from '../../functions/auth/operations/keep-clients.ts'
import { type Answer, type Command, instantText, type Run, tableLines } from './command.ts'

const TENANT = { tenant: { value: 'ID', required: true, meaning: 'The tenant.' } } as const
const ONCE = 'The client secret is printed once. Nobody can show it again.'
/** As many as the largest tier may have. */
const MOST_LISTED = 1_000

/** What an operator does with a tenant's clients where nobody of the tenant can. */
export const CLIENT_COMMANDS: Readonly<Record<string, Command>> = {
  'create-client': {
    summary: 'Create a machine client of a tenant and print its secret.',
    details: ONCE,
    options: {
      ...TENANT,
      scope: {
        value: 'SCOPE',
        required: true,
        multiple: true,
        meaning: 'What it may; give it several times.',
      },
      name: { value: 'TEXT', meaning: 'What people call it. Default: its id.' },
    },
    run: create,
  },
  'list-clients': {
    summary: 'Show the clients of a tenant; of their secrets only how old they are.',
    options: TENANT,
    run: list,
  },
  'rotate-secret': {
    summary: 'Give a client a new secret and print it.',
    details: `${ONCE}\nThe present one lives on for the overlap, so that nothing stops meanwhile.`,
    options: {
      client: { value: 'ID', required: true, meaning: 'The client; its id names the tenant.' },
      overlap: {
        value: 'SECONDS',
        meaning: 'How long the present secret lives on. Default: 86400; 0 ends it now.',
      },
    },
    run: rotate,
  },
}

async function create(run: Run): Promise<Result<Answer>> {
  const { deps, given, nowMs } = run
  const ctx = await run.open(given.text('tenant') ?? '')
  if (!ctx.ok) return ctx
  const name = given.text('name')
  const scopes = given.texts('scope').flatMap((scope) => scope.split(/[ ,]+/))
  const wanted = parseNewClient({ scopes, ...(name === undefined ? {} : { name }) })
  if (!wanted.ok) return wanted
  const made = await createClient(deps, { ctx: ctx.value, giver: 'deployer', wanted: wanted.value, nowMs })
  return made.ok ? ok(withSecret('Client created', made.value)) : made
}

async function list({ deps, given, open }: Run): Promise<Result<Answer>> {
  const ctx = await open(given.text('tenant') ?? '')
  if (!ctx.ok) return ctx
  const clients = await deps.clientRegister.list(ctx.value, MOST_LISTED, undefined)
  if (clients === undefined) return refuse('resource.not_found', 'no tenant', 'Auth knows no such tenant.')
  const rows = clients.map((client) => [
    client.clientId,
    client.status,
    client.authMethod,
    instantText(client.createdAt),
    client.scopes.join(' '),
  ])
  return ok({
    json: clients.map(viewOf),
    lines: tableLines(['client', 'status', 'authentication', 'created', 'scopes'], rows),
  })
}

async function rotate(run: Run): Promise<Result<Answer>> {
  const { deps, given, nowMs } = run
  const client = parseClientId(given.text('client'))
  if (!client.ok)
    return refuse('request.malformed', 'client id', 'That is no client id: they begin with cid_.')
  const overlap = Number(given.text('overlap') ?? '86400')
  if (!Number.isSafeInteger(overlap) || overlap < 0) {
    return refuse('request.malformed', 'overlap', '--overlap is a whole number of seconds.')
  }
  const ctx = await run.open(client.value.tenantId)
  if (!ctx.ok) return ctx
  const clientId: ClientId = client.value.clientId
  const command = { ctx: ctx.value, keeper: 'deployer' as const, clientId, nowMs }
  const rotated = await rotateClientSecret(deps, command, overlap)
  return rotated.ok ? ok(withSecret('Secret rotated', rotated.value)) : rotated
}

function withSecret(
  headline: string,
  { client, clientSecret }: { readonly client: ClientView; readonly clientSecret: string | undefined },
): Answer {
  return {
    json: { ...client, clientSecret },
    lines: [
      headline,
      `  client id      ${client.clientId}`,
      `  client secret  ${clientSecret ?? '(none: it proves itself otherwise)'}`,
      `  scopes         ${client.scopes.join(' ')}`,
      'Keep the secret now: it is stored nowhere and cannot be shown again.',
    ],
  }
}
