import type { ApiClient } from '#local/stack/api-client.ts'
import type { StackInfo } from '#local/stack/stack.ts'
import { type Narrator, StepFailed } from './narrator.ts'

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange'
const JWT = 'urn:ietf:params:oauth:token-type:jwt'

type Answered = { readonly status: number; readonly body: Readonly<Record<string, unknown>> }

/**
 * A workload in the tenant's namespace gets a token of ours for the one its cluster projected into the
 * pod: it has no secret, and the namespace decides whose it is.
 */
export async function exchangeWorkload(
  api: ApiClient,
  stack: Pick<StackInfo, 'gatewayUrl' | 'controlUrl' | 'tenants'>,
  tenantId: string,
  say: Narrator,
): Promise<void> {
  await say.step(
    'A workload exchanges the token of its pod: no secret, and its own tenant alone',
    async () => {
      const answer = await exchange(stack.gatewayUrl, await podToken(stack.controlUrl, { tenantId }))
      const token = answer.body['access_token']
      if (answer.status !== 200 || typeof token !== 'string') throw failed('expected a token', answer)
      const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as {
        sub: string
        tenant: string
        exp: number
        iat: number
      }
      if (claims.tenant !== tenantId) throw failed('expected a token of the own tenant', answer)
      const elsewhere = `/v1/tenants/${stack.tenants[0]?.tenantId ?? 'acme'}/usage`
      const foreign = await api.call('GET', elsewhere, { token })
      if (foreign.status !== 404) throw failed('expected 404 for another tenant', foreign)
      const stranger = await podToken(stack.controlUrl, { namespace: 'kube-system' })
      const refused = await exchange(stack.gatewayUrl, stranger)
      if (refused.status !== 400) throw failed('expected 400 for a namespace of no tenant', refused)
      return {
        value: undefined,
        note: `${claims.sub}, ${claims.exp - claims.iat} s, ${String(answer.body['scope'])}`,
      }
    },
  )
}

async function podToken(controlUrl: string, whose: Record<string, string>): Promise<string> {
  const minted = await fetch(`${controlUrl}/tokens/cluster`, { method: 'POST', body: JSON.stringify(whose) })
  const { token } = (await minted.json()) as { token?: string }
  if (token === undefined) throw new StepFailed(`the cluster minted no token: ${minted.status}`)
  return token
}

async function exchange(gatewayUrl: string, subjectToken: string): Promise<Answered> {
  const answer = await fetch(`${gatewayUrl}/oauth2/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: EXCHANGE,
      subject_token: subjectToken,
      subject_token_type: JWT,
    }),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

function failed(what: string, { status, body }: Answered): StepFailed {
  return new StepFailed(`${what}; got ${status} ${JSON.stringify({ ...body, access_token: undefined })}`)
}
