import { DEPLOYMENT_MODELS, TIERS } from '#shared/catalogue/tiers.ts'
import { EXPORT_SCOPES } from '../../functions/tenant-events/domain/command.ts'
import { SUSPENSION_MODES, SUSPENSION_REASONS } from '../../functions/tenant-events/domain/tenant.ts'
import { BODIES } from '../../functions/tenant-events/http/bodies.ts'
import type { Command, Option } from './command.ts'
import { approvePurge } from './tenant-approval.ts'
import { create, order, ordered, rename } from './tenant-orders.ts'
import { certificate, list, operation, operations, show, timeline } from './tenant-reads.ts'

const TENANT = { tenant: { value: 'ID', required: true, meaning: 'The tenant.' } } as const
const OPERATION: Option = { value: 'ID', required: true, meaning: 'The operation (op_…).' }
const WAIT = {
  wait: { meaning: 'Stay until the operation is over, and show each step as it is done.' },
} as const
const LIMIT = { limit: { value: 'N', meaning: 'At most so many. Default: 50.' } } as const

function oneOf(values: readonly string[], required: boolean, usual?: string): Option {
  const meaning = `${values.join(', ')}.${usual === undefined ? '' : ` Default: ${usual}`}`
  return { value: 'NAME', required, meaning }
}

/** What an operator does with tenants: all that the HTTP API does, with the credentials of the deployer. */
export const TENANT_COMMANDS: Readonly<Record<string, Command>> = {
  'tenants list': {
    summary: 'Show all tenants, and what runs on them.',
    options: {
      state: { value: 'STATE', meaning: 'Only those in this state.' },
      tier: { value: 'TIER', meaning: 'Only those of this tier.' },
    },
    run: list,
  },
  'tenants show': { summary: 'Show one tenant.', options: TENANT, run: show },
  'tenants create': {
    summary: 'Create a tenant.',
    options: {
      ...TENANT,
      name: { value: 'TEXT', required: true, meaning: 'What people call it.' },
      tier: oneOf(TIERS, true),
      region: { value: 'REGION', required: true, meaning: 'Such as us-central1.' },
      model: oneOf(DEPLOYMENT_MODELS, false, 'multi_tenant'),
      'trial-ends': { value: 'INSTANT', meaning: 'When its trial ends, at most 365 days from now.' },
      ...WAIT,
    },
    run: create,
  },
  'tenants rename': {
    summary: 'Give a tenant another name; its id never changes.',
    options: { ...TENANT, name: { value: 'TEXT', required: true, meaning: 'The name.' } },
    run: rename,
  },
  'tenants change-tier': {
    summary: 'Move a tenant to another tier.',
    options: {
      ...TENANT,
      to: oneOf(TIERS, true),
      effective: oneOf(['now', 'period_end'], false, 'now'),
      ...WAIT,
    },
    run: (run) => {
      const { text } = run.given
      const body = BODIES.tierChange({ toTier: text('to'), effective: text('effective') ?? 'now' })
      return order(run, body, (said) => ({ name: 'tier-change', ...said }))
    },
  },
  'tenants suspend': {
    summary: 'Suspend a tenant: soft lets what runs end, hard stops it now.',
    options: {
      ...TENANT,
      mode: oneOf(SUSPENSION_MODES, true),
      reason: oneOf(SUSPENSION_REASONS, true),
      ...WAIT,
    },
    run: (run) => {
      const { text } = run.given
      const body = BODIES.suspend({ mode: text('mode'), reason: text('reason') })
      return order(run, body, (said) => ({ name: 'suspend', ...said }))
    },
  },
  'tenants resume': {
    summary: 'Let a suspended tenant work again.',
    options: { ...TENANT, ...WAIT },
    run: (run) => ordered(run, { name: 'resume' }),
  },
  'tenants offboard': {
    summary: 'End a tenant, after an export and a time of grace.',
    options: {
      ...TENANT,
      'grace-days': { value: 'N', meaning: 'How long it can come back, 0 to 90. Default: 30.' },
      'no-export': { meaning: 'Without an archive of its data.' },
      ...WAIT,
    },
    run: (run) => {
      const { flag, text } = run.given
      const body = BODIES.offboard({
        graceDays: Number(text('grace-days') ?? '30'),
        export: !flag('no-export'),
      })
      return order(run, body, (said) => ({ name: 'offboard', ...said }))
    },
  },
  'tenants cancel-offboarding': {
    summary: 'Take an offboarding back, until the purge has begun.',
    options: { ...TENANT, ...WAIT },
    run: (run) => ordered(run, { name: 'offboard-cancel' }),
  },
  'tenants export': {
    summary: "Put a tenant's data into one signed archive in its bucket.",
    options: { ...TENANT, scope: oneOf(EXPORT_SCOPES, false, 'all'), ...WAIT },
    run: (run) => {
      const body = BODIES.export({ scope: run.given.text('scope') ?? 'all' })
      return order(run, body, (said) => ({ name: 'export', ...said }))
    },
  },
  'tenants approve-purge': {
    summary: 'Approve the purge of a tenant; the second person’s approval begins it. Nothing brings it back.',
    details:
      'You are the person Google knows you as, and must be an operator; a machine cannot approve.\n' +
      'docs/runbooks/tenants.md says what to look at before.',
    options: {
      ...TENANT,
      reason: { value: 'TEXT', required: true, meaning: 'Why; it is shown to the second person.' },
      email: { value: 'ADDRESS', meaning: 'Who approves, in a demo project alone.' },
      ...WAIT,
    },
    run: approvePurge,
  },
  'tenants hold': {
    summary: 'Put a tenant under legal hold: it cannot be purged.',
    options: {
      ...TENANT,
      reference: { value: 'REF', required: true, meaning: 'Of whoever ordered it, such as CASE-2026/17.' },
    },
    run: (run) => {
      const body = BODIES.legalHold({ reference: run.given.text('reference') })
      return order(run, body, (said) => ({ name: 'legal-hold', on: true, ...said }))
    },
  },
  'tenants release-hold': {
    summary: 'End a legal hold. A purge is approved anew after it.',
    options: TENANT,
    run: (run) => ordered(run, { name: 'legal-hold', on: false, reference: '' }),
  },
  'tenants reconcile': {
    summary: 'Compare what a tenant should have in its cluster with what is there, and repair it.',
    options: { ...TENANT, ...WAIT },
    run: (run) => ordered(run, { name: 'reconcile' }),
  },
  'tenants retry': {
    summary: 'Let a stuck or failed operation be tried again now.',
    options: { ...TENANT, operation: OPERATION, ...WAIT },
    run: (run) => ordered(run, { name: 'retry', operationId: run.given.text('operation') ?? '' }),
  },
  'tenants operations': {
    summary: 'Show the operations of a tenant, the newest first.',
    options: { ...TENANT, ...LIMIT },
    run: operations,
  },
  'tenants operation': {
    summary: 'Show how far one operation has come, step by step, and what to do about its trouble.',
    options: { ...TENANT, operation: OPERATION, ...WAIT },
    run: operation,
  },
  'tenants timeline': {
    summary: 'Show what happened to a tenant, the newest first; of a purged one, too.',
    options: { ...TENANT, ...LIMIT },
    run: timeline,
  },
  'tenants certificate': {
    summary: 'Print the signed proof that a tenant was deleted.',
    details: 'docs/verify-certificate.mjs checks it without any of our services.',
    options: TENANT,
    run: certificate,
  },
}
