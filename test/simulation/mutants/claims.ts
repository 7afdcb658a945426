import { billingEvents } from '../../../functions/billing/events.ts'
import { ingestUsage } from '../../../functions/billing/operations/ingest-usage.ts'
import type { Mutant } from '../mutant.ts'
import { claimPath, separateClaims } from './separate-claims.ts'
import { guardOf, ledgerThat } from './split-commit.ts'

/** Counts whatever comes, as often as it comes. */
export const noClaim: Mutant = {
  name: 'no claim',
  billing: (deps, platform) => ({
    ...deps,
    ledger: ledgerThat(platform, async ({ claim, count }) => {
      await claim()
      await count()
      return 'stored'
    }),
  }),
}

/** The claim is a commit of its own, before the effect: who dies between them loses usage. */
export const claimFirst: Mutant = {
  name: 'claim first',
  billing: (deps, platform) => ({
    ...deps,
    ledger: ledgerThat(platform, async ({ claim, count }) => {
      if (await claim()) return 'duplicate'
      await count()
      return 'stored'
    }),
  }),
}

/** The claim is a commit of its own, after the effect: who dies between them counts twice. */
export const effectFirst: Mutant = {
  name: 'effect first',
  billing: (deps, platform) => {
    const claims = separateClaims(platform)
    return {
      ...deps,
      ledger: ledgerThat(platform, async ({ claim, count }, ctx, batchId) => {
        if (await claims.exists(ctx, batchId)) return 'duplicate'
        await claim()
        await count()
        await claims.take(ctx, batchId)
        return 'stored'
      }),
    }
  },
}

/** The pattern of idempotency toolkits: a record before the work, deleted when the work throws. */
export const claimDeletedOnError: Mutant = {
  name: 'claim deleted on error',
  billing: (deps, platform) => {
    const claims = separateClaims(platform)
    return {
      ...deps,
      ledger: ledgerThat(platform, async ({ claim, count }, ctx, batchId) => {
        if (await claims.take(ctx, batchId)) return 'duplicate'
        try {
          await claim()
          await count()
        } catch (error) {
          await claims.drop(ctx, batchId)
          throw error
        }
        return 'stored'
      }),
    }
  },
}

/** Recognises copies by the transport's id, which a publisher's copy and a redriven dead letter do not share. */
export const dedupeOnMessageId: Mutant = {
  name: 'dedupe on messageId',
  billingEvents: (deps, platform) => {
    return {
      ...billingEvents(deps),
      batches: {
        'billing-events': {
          handleBatch: (received) => {
            const ledger = ledgerThat(platform, async ({ claim, count }, _ctx, batchId) => {
              const id = `${received.messageId} ${batchId}`
              await claim()
              const known = await count((db) => [db.create(claimPath(id), { id }, { once: true })])
              return known ? 'duplicate' : 'stored'
            })
            return ingestUsage({ ...deps, ledger }, received)
          },
        },
      },
    }
  },
}

/** Looks whether the batch is known and then counts it, with nothing that holds the two together. */
export const checkWithoutPrecondition: Mutant = {
  name: 'check without precondition',
  billing: (deps, platform) => {
    const claims = separateClaims(platform)
    const guard = guardOf(platform)
    return {
      ...deps,
      ledger: ledgerThat(platform, async ({ claim, count }, ctx, batchId) => {
        if (await claims.exists(ctx, batchId)) return 'duplicate'
        await claim()
        await count((db) => [db.merge(claimPath(batchId), { id: batchId }), ...guard(db)])
        return 'stored'
      }),
    }
  },
}

/** Whatever goes wrong is logged, one may suppose, and the message acknowledged. */
export const errorSwallowed: Mutant = {
  name: 'error swallowed',
  billingEvents: (deps) => ({
    ...billingEvents(deps),
    batches: {
      'billing-events': {
        handleBatch: (received) =>
          ingestUsage(deps, received).catch(() => ({ ok: true as const, value: undefined })),
      },
    },
  }),
}
