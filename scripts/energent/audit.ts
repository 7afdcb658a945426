import { type AuditReport, verifyAudit } from '#shared/audit/verify-audit.ts'
import { CHAINED_GROUPS } from '#shared/firestore/paths.ts'
import { PLATFORM_TENANT, parseTenantId } from '#shared/ids.ts'
import { ok, type Refusal, refuse } from '#shared/result.ts'
import type { Command, Given, Run } from './command.ts'
import { evidenceKeys } from './evidence-keys.ts'

type ChainedGroup = (typeof CHAINED_GROUPS)[number]

/** What an operator does with the audit. */
export const AUDIT_COMMANDS: Readonly<Record<string, Command>> = {
  'audit-verify': {
    summary: "Check a tenant's audit: every segment, every link, and the signature over the end.",
    details: [
      "Of auth, which the ring 'events' signs, and of the lifecycle, which the evidence key signs: its public",
      'keys are those of GET /v1/evidence-keys, asked of PUBLIC_BASE_URL unless --keys names a file of them.',
      '',
      'Exits with 1 if anything was changed, removed, put in or put in another order. With --expect it also',
      'finds a chain that was cut off at an end it had before: take the end from an earlier check, or from',
      "the log line 'audit sealed'.",
    ].join('\n'),
    options: {
      tenant: {
        value: 'ID',
        meaning: 'The tenant; one that was purged has its audit for seven years.',
        required: true,
      },
      group: { value: 'GROUP', meaning: `One chain alone: ${CHAINED_GROUPS.join(' or ')}.` },
      expect: { value: 'SEQ:HASH', meaning: 'An end that the chain had before; needs --group.' },
      keys: { value: 'FILE', meaning: 'The answer of GET /v1/evidence-keys, kept as a file.' },
    },
    run: async (run) => {
      const tenant = parseTenantId(run.given.text('tenant'))
      if (!tenant.ok) return refuse('request.malformed', 'tenant', '--tenant is not a tenant id.')
      const group = run.given.text('group')
      const groups = CHAINED_GROUPS.filter((one) => group === undefined || one === group)
      const wrong = groups.length === 0 ? NO_SUCH_GROUP : wrongExpectation(run.given)
      if (wrong !== undefined) return wrong
      const chains: AuditReport[] = []
      for (const one of groups) {
        chains.push(
          await verifyAudit(chainOf(run, one), {
            tenantId: tenant.value,
            nowMs: run.nowMs,
            expected: run.given.text('expect'),
            // Operators' own tenant is made by nobody's command: the lifecycle may have had nothing to do with it.
            mayBeNone: one === 'lifecycle' && tenant.value === PLATFORM_TENANT,
          }),
        )
      }
      const isWhole = chains.every((chain) => chain.ok)
      return ok({
        json: { tenantId: tenant.value, ok: isWhole, chains },
        ...(isWhole ? {} : { failed: true }),
        lines: [
          `${isWhole ? 'The audit is whole' : 'THE AUDIT IS NOT WHOLE'}: ${tenant.value}`,
          ...chains.flatMap(linesOf),
        ],
      })
    },
  },
}

const NO_SUCH_GROUP = refuse('request.malformed', 'group', `--group is ${CHAINED_GROUPS.join(' or ')}.`)

function wrongExpectation(given: Given): Refusal | undefined {
  const expected = given.text('expect')
  if (expected === undefined) return undefined
  if (!/^\d+:[0-9a-f]{64}$/.test(expected)) {
    return refuse('request.malformed', 'expect', '--expect is SEQ:HASH, as an earlier check printed it.')
  }
  return given.text('group') === undefined
    ? refuse('request.malformed', 'group', 'An end is one of one chain: say which with --group.')
    : undefined
}

/** Where a group's chain is, and the keys its end is signed with. */
function chainOf({ deps, given, lifecycle }: Run, group: ChainedGroup): Parameters<typeof verifyAudit>[0] {
  if (group === 'auth') return deps
  const { auditChain } = lifecycle()
  const baseUrl = deps.platform.config.PUBLIC_BASE_URL
  return {
    auditChain,
    keepsAllKeys: true,
    headKeys: () => evidenceKeys({ file: given.text('keys'), baseUrl }),
  }
}

function linesOf({ group, links, segments, entries, waiting, head, faults, notes }: AuditReport): string[] {
  return [
    `  ${group}: ${entries} entries in ${segments} segments, chained by ${links} links; ${waiting} segments wait to be sealed`,
    `    end: ${head ?? 'nothing is sealed yet'}`,
    ...faults.map((fault) => `    wrong: ${fault}`),
    ...notes.map((note) => `    note: ${note}`),
  ]
}
