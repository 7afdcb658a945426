import { verifyAudit } from '#shared/audit/verify-audit.ts'
import { parseTenantId } from '#shared/ids.ts'
import { ok, refuse } from '#shared/result.ts'
import type { Command } from './command.ts'

/** What an operator does with the audit. */
export const AUDIT_COMMANDS: Readonly<Record<string, Command>> = {
  'audit-verify': {
    summary: "Check a tenant's audit: every segment, every link, and the signature over the end.",
    details: [
      'Exits with 1 if anything was changed, removed, put in or put in another order. With --expect it also',
      'finds a chain that was cut off at an end it had before: take the end from an earlier check, or from',
      "the log line 'audit sealed'.",
    ].join('\n'),
    options: {
      tenant: { value: 'ID', meaning: 'The tenant.', required: true },
      expect: { value: 'SEQ:HASH', meaning: 'An end that the chain had before.' },
    },
    run: async ({ deps, given, nowMs }) => {
      const tenant = parseTenantId(given.text('tenant'))
      if (!tenant.ok) return refuse('request.malformed', 'tenant', '--tenant is not a tenant id.')
      const expected = given.text('expect')
      if (expected !== undefined && !/^\d+:[0-9a-f]{64}$/.test(expected)) {
        return refuse('request.malformed', 'expect', '--expect is SEQ:HASH, as an earlier check printed it.')
      }
      const report = await verifyAudit(deps, { tenantId: tenant.value, expected, nowMs })
      const { links, segments, entries, waiting, head, faults, notes } = report
      return ok({
        json: report,
        ...(report.ok ? {} : { failed: true }),
        lines: [
          `${report.ok ? 'The audit is whole' : 'THE AUDIT IS NOT WHOLE'}: ${tenant.value}`,
          `  ${entries} entries in ${segments} segments, chained by ${links} links; ${waiting} segments wait to be sealed`,
          `  end: ${head ?? 'nothing is sealed yet'}`,
          ...faults.map((fault) => `  wrong: ${fault}`),
          ...notes.map((note) => `  note: ${note}`),
        ],
      })
    },
  },
}
