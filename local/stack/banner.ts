import { join } from 'node:path'
import type { StackInfo } from './stack.ts'

/** What a user sees when the stack is ready: where things are, who exists, and calls that work as printed. */
export function banner(info: StackInfo, token: string | undefined, seconds: number): string {
  const [tenant] = info.tenants
  const lines = [
    '',
    `Energent control plane, ready in ${seconds.toFixed(1)} s  (engine: ${info.engine}, project: ${info.project})`,
    '',
    `  API gateway     ${info.gatewayUrl}`,
    `  control door    ${info.controlUrl}   (clock, jobs, faults: docs/local-stack.md)`,
    `  Firestore       ${info.firestoreHost}`,
    `  Pub/Sub         ${info.pubsubHost}`,
    `  Secret Manager  ${info.secretManagerHost}`,
    `  Kubernetes      ${info.kubernetes.url}`,
    `  Stripe          ${info.stripe.url}   (webhook secret ${info.stripe.webhookSecret})`,
    `  identity        ${info.idp.issuer}`,
    `  all of it       ${join(info.dataDir, 'stack.json')}`,
    '',
    ...(info.tenants.length === 0 ? [] : ['  demo tenants']),
    ...info.tenants.map(
      (each) => `    ${each.tenantId.padEnd(9)} ${each.tier.padEnd(11)} client ${each.clientId}`,
    ),
    ...info.tenants.flatMap((each) => (each.signOn === undefined ? [] : signOnLines(each, each.signOn))),
    ...(tenant === undefined || token === undefined ? [] : firstCalls(info, tenant, token)),
    '',
    `Ctrl-C stops everything; what happened is kept in ${info.dataDir} (npm start -- --fresh forgets it).`,
    '',
  ]
  return lines.join('\n')
}

function signOnLines(
  { tenantId, users }: StackInfo['tenants'][number],
  { clientId }: NonNullable<StackInfo['tenants'][number]['signOn']>,
): string[] {
  const people = users.map(({ login, password }) => `${login} / ${password}`)
  return ['', `  single sign-on of ${tenantId} by application ${clientId} (docs/sign-on.md)`].concat(
    people.map((person) => `    ${person}`),
  )
}

function firstCalls(info: StackInfo, tenant: StackInfo['tenants'][number], token: string): string[] {
  return [
    '',
    `  What ${tenant.tenantId} used this month (the token lives ten minutes):`,
    '',
    `    curl -s ${info.gatewayUrl}/v1/tenants/${tenant.tenantId}/usage -H 'Authorization: Bearer ${token}'`,
    '',
    '  A new token:',
    '',
    `    curl -s ${info.gatewayUrl}/oauth2/token -u '${tenant.clientId}:${tenant.clientSecret}' -d grant_type=client_credentials`,
  ]
}
