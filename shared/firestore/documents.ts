import { GROUPS, type Group } from '../catalogue/functions.ts'
import { CHAINED_GROUPS } from './paths.ts'

/** One kind of document: where it is, who writes it, who else may read it, and what it holds. */
export type DocumentSpec = {
  /** Segments in braces are ids. */
  readonly path: string
  readonly writer: Group
  /** Empty: nobody but its writer. */
  readonly readers: string
  readonly holds: string
  /** False while no code writes it: the name is kept for its owner. */
  readonly written: boolean
}

/**
 * Every kind of document there is (contracts §4). `docs/storage.md` is made from it, and a test walks
 * the documents of a running system and finds each here.
 */
export const DOCUMENTS: readonly DocumentSpec[] = [
  doc(
    'tenants/{tenantId}',
    'lifecycle',
    'state, desired and observed settings, placement, running operation',
    {
      readers: 'operators’ list, through the lifecycle',
    },
  ),
  doc('tenants/{tenantId}/auth_state/current', 'auth', 'status, tier, version and watermark of its tokens', {
    readers: 'the token verifier of every function',
  }),
  doc('tenants/{tenantId}/auth_clients/{clientId}', 'auth', 'scopes, grants, and each secret as an HMAC'),
  doc('tenants/{tenantId}/auth_bindings/{bindingId}', 'auth', 'which workload identity is which client'),
  doc('tenants/{tenantId}/auth_limits/clients', 'auth', 'how many clients there are'),
  doc('tenants/{tenantId}/auth_apiKeys/{keyId}', 'auth', 'scopes, end, and the key as an HMAC'),
  doc('tenants/{tenantId}/auth_limits/apiKeys', 'auth', 'how many API keys there are'),
  doc('tenants/{tenantId}/auth_replay/{id}', 'auth', 'that an assertion was used: created once'),
  doc(
    'tenants/{tenantId}/auth_limits/{userId}',
    'auth',
    'how often a user has signed in: guards their number of sessions',
  ),
  doc(
    'tenants/{tenantId}/auth_sessions/{sessionId}',
    'auth',
    'one sign-in of a person at a client: salt and counter that its refresh tokens follow from',
  ),
  doc(
    'tenants/{tenantId}/auth_codes/{codeHash}',
    'auth',
    'an authorization code by its hash: what its tokens will say, and whether it was used',
  ),
  doc(
    'tenants/{tenantId}/auth_flows/{flowId}',
    'auth',
    'a sign-in under way: what the client asked for, and the hash of the browser it began in',
  ),
  doc(
    'tenants/{tenantId}/auth_connections/{connectionId}',
    'auth',
    'an identity provider of the tenant: issuer, endpoints, claim map, its client secret sealed',
  ),
  doc(
    'tenants/{tenantId}/auth_domains/{domainId}',
    'auth',
    'a domain, its challenge, and whether it is proven',
  ),
  doc('tenants/{tenantId}/auth_state/erasure', 'auth', 'how far the erasure of the tenant came, in counts'),
  doc(
    'tenants/{tenantId}/auth_shred/dek',
    'auth',
    'the key of personal data, wrapped; or that it is destroyed',
  ),
  doc('tenants/{tenantId}/auth_users/{userId}', 'auth', 'a person: links, roles, watermark; the rest sealed'),
  doc('tenants/{tenantId}/auth_userLinks/{id}', 'auth', 'which user signs in with a connection’s subject'),
  doc(
    'tenants/{tenantId}/auth_userEmails/{id}',
    'auth',
    'how many users were made of an address, by keyed hash',
  ),
  doc(
    'tenants/{tenantId}/auth_limits/{list}',
    'auth',
    'changed with each new binding, invitation and name of a group: guards their limits and names',
  ),
  doc('tenants/{tenantId}/auth_limits/roles', 'auth', 'how many roles of its own the tenant has'),
  doc('tenants/{tenantId}/auth_userNames/{id}', 'auth', 'which user has a SCIM userName, by keyed hash'),
  doc('tenants/{tenantId}/auth_groups/{groupId}', 'auth', 'a SCIM group and its members'),
  doc('tenants/{tenantId}/auth_roles/{name}', 'auth', 'a role of the tenant’s own and its scopes'),
  doc(
    'tenants/{tenantId}/auth_invitations/{invitationId}',
    'auth',
    'an offer of a role; address sealed, token hashed',
  ),
  doc('tenants/{tenantId}/auth_limits/owners', 'auth', 'who the active owners are'),
  doc('tenants/{tenantId}/billing_tenant/current', 'billing', 'projection of the tenant: state and tier'),
  doc(
    'tenants/{tenantId}/billing_usageBatches/{batchId}',
    'billing',
    'the usage ledger: one batch of events, never changed; its id is the claim',
  ),
  doc(
    'tenants/{tenantId}/billing_corrections/{batchId}',
    'billing',
    'how far the events that a batch of voids and replacements is about were looked for',
  ),
  doc(
    'tenants/{tenantId}/billing_rollups/{hour}',
    'billing',
    'an hour: exact aggregates by meter, version and group, Merkle roots, batches it was made from',
  ),
  doc('tenants/{tenantId}/billing_rollupDays/{day}', 'billing', 'the hours of a day folded into one'),
  doc(
    'tenants/{tenantId}/billing_usageConflicts/{eventKey}',
    'billing',
    'events that share an id and say different things: all sides, and which one counts',
  ),
  doc('tenants/{tenantId}/billing_live/{dayAndShard}', 'billing', 'counters of a day, one of its shards'),
  doc(
    'tenants/{tenantId}/billing_usageJobs/{jobId}',
    'billing',
    'usage or voids that an operator handed in: the events, who wants them and why, whether they are done',
  ),
  doc(
    'tenants/{tenantId}/billing_tenant/erasure',
    'billing',
    'how far the erasure of the tenant came, in counts',
  ),
  doc(
    'tenants/{tenantId}/billing_quota/workflows',
    'billing',
    'leases of running workflows, and the operation that lets none begin',
  ),
  doc(
    'tenants/{tenantId}/billing_grants/{grantId}',
    'billing',
    'prepaid credit, and what invoices burnt of it',
  ),
  doc(
    'tenants/{tenantId}/billing_credit/head',
    'billing',
    'a number that grows with each change of any grant',
  ),
  doc('tenants/{tenantId}/billing_subscriptions/main', 'billing', 'the subscription and its plan'),
  doc(
    'tenants/{tenantId}/billing_operations/{operationId}',
    'billing',
    'what was answered to an operation that asked for a subscription or a tier',
  ),
  doc(
    'tenants/{tenantId}/billing_invoices/{invoiceId}',
    'billing',
    'an invoice without its lines: status, totals, digest, and what was charged and corrected by it',
  ),
  doc('tenants/{tenantId}/billing_invoices/{invoiceId}/lines/{lineId}', 'billing', 'a line, never changed'),
  doc('tenants/{tenantId}/billing_invoiceBook/head', 'billing', 'guards what is decided on all invoices'),
  doc('tenants/{tenantId}/billing_creditNotes/{creditNoteId}', 'billing', 'what takes back a paid invoice'),
  doc(
    'tenants/{tenantId}/billing_exports/{exportId}',
    'billing',
    'an export: what was asked, how far it came',
  ),
  ...(['auth', 'billing'] as const).map((group) =>
    doc(
      `tenants/{tenantId}/${group}_exportParts/{operationId}`,
      group,
      'how far the group’s part of a tenant’s export came: its parts with their digests',
    ),
  ),
  doc('tenants/{tenantId}/lifecycle_operations/{operationId}', 'lifecycle', 'each step and how far it came'),
  ...GROUPS.flatMap((group) => [
    doc(`${group}_outbox/{id}`, group, 'an event that left with a commit: bytes, attributes, topic, status'),
    doc(`${group}_inbox/{id}`, group, 'the claim of an event or request: digest of its content, answer'),
    doc(`${group}_quarantine/{id}`, group, 'what can never be applied as it is: code, payload, status', {
      readers: 'the operator’s redrive',
    }),
    doc(
      `tenantAudit/{tenantId}/${group}_segments/{id}`,
      group,
      'who did what, sealed; created and never changed',
      {
        readers: 'audit; outside the tenant, so that no purge reaches it',
      },
    ),
  ]),
  ...CHAINED_GROUPS.flatMap((group) => [
    doc(
      `${group}_auditPending/{id}`,
      group,
      'a sealed segment that no link of the audit chain has taken in yet',
    ),
    doc(
      `tenantAudit/{tenantId}/${group}_chain/{id}`,
      group,
      'a link: segments with their roots, their Merkle root, the hash of the link before; and the signed head',
      { readers: 'audit; outside the tenant, so that no purge reaches it' },
    ),
  ]),
  doc(
    'authFeed/{shard}/entries/{id}',
    'auth',
    'what was revoked: tenant, kind, id, the second before which its tokens are dead, when it may go',
    { readers: 'the token verifier of every function' },
  ),
  doc('keyrings/{ring}', 'auth', 'public keys and secret versions; private keys are in Secret Manager'),
  doc(
    'domainOwners/{id}',
    'auth',
    'which tenant has proven an e-mail domain; created once and never changed',
  ),
  doc('plans/{planId}', 'billing', 'a plan: its tier, its newest version, whether it is sold'),
  doc('plans/{planId}/versions/{version}', 'billing', 'fees and prices; created and never changed'),
  doc('meters/{meterId}', 'billing', 'a meter’s newest version'),
  doc('meters/{meterId}/versions/{version}', 'billing', 'a definition; created and never changed'),
  doc(
    'billingArchive/{tenantId}/{collection}/{id}',
    'billing',
    'invoices and credit notes of erased tenants, as the law wants them kept',
    { readers: 'operators' },
  ),
  doc('billingArchive/{tenantId}/{collection}/{id}/{part}/{partId}', 'billing', 'their lines', {
    readers: 'operators',
  }),
  kept('stripeEvents/{id}', 'billing', 'webhooks taken'),
  kept('stripeOutbox/{id}', 'billing', 'calls that wait for Stripe'),
  doc(
    'jobs/{id}',
    'billing',
    'how far a job came, each tenant that jobs look at, what each invoice adds to the revenue and what accrued since',
  ),
  doc(
    'timers/{hour_operationId}',
    'lifecycle',
    'what is due in days or weeks: the end of a time of grace, an operation that has its day',
  ),
  doc('tombstones/{tenantId}', 'lifecycle', 'ids that can never be given again', {
    readers: 'the event edge of every function, which lets go of what comes late',
  }),
  doc('deletionCertificates/{tenantId}', 'lifecycle', 'proof of a deletion'),
]

function doc(
  path: string,
  writer: Group,
  holds: string,
  { readers = '', written = true }: { readonly readers?: string; readonly written?: boolean } = {},
): DocumentSpec {
  return { path, writer, readers, holds, written }
}

function kept(path: string, writer: Group, holds: string): DocumentSpec {
  return doc(path, writer, holds, { written: false })
}
