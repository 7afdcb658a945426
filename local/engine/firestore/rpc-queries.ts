import { invalid } from '../rpc-error.ts'
import { aggregate, parseAggregations } from './aggregate.ts'
import { readTime, toWireDocument } from './answers.ts'
import { toWireFields } from './codec.ts'
import { parseName } from './paths.ts'
import { planQuery, type QueryPlan } from './query-plan.ts'
import { runQuery } from './query-run.ts'
import type { Rpc } from './rpc-documents.ts'
import type { ReadView } from './store.ts'
import type { WireRequest } from './wire.ts'

/** The calls that find documents by what they hold. */
export const QUERY_RPCS: Record<string, Rpc> = {
  RunQuery: (store, request) => {
    const plan = planOf(request)
    const view = store.view(plan.database, request)
    const time = readTime(view.time)
    if (request.explainOptions !== undefined && !request.explainOptions.analyze) {
      return [{ ...time, explainMetrics: PLAN_ONLY }]
    }
    const { rows, skipped } = store.query(view, plan)
    const documents = rows.map((row) => ({
      document: toWireDocument(row.name, row.state, plan.select),
      ...time,
    }))
    const [first, ...rest] = documents
    const counted = skipped === 0 ? {} : { skippedResults: skipped }
    return [
      ...beginning(view),
      { ...(first ?? time), ...counted },
      ...rest,
      ...statistics(request, rows.length),
    ]
  },

  RunAggregationQuery: (store, request) => {
    const aggregations = parseAggregations(request.structuredAggregationQuery?.aggregations)
    const { structuredQuery } = request.structuredAggregationQuery ?? {}
    const plan = planOf({ ...request, ...(structuredQuery === undefined ? {} : { structuredQuery }) })
    const view = store.view(plan.database, request)
    const time = readTime(view.time)
    if (request.explainOptions !== undefined && !request.explainOptions.analyze) {
      return [{ ...time, explainMetrics: PLAN_ONLY }]
    }
    const { rows } = store.query(view, plan)
    const aggregateFields = toWireFields(aggregate(rows, aggregations))
    return [
      ...beginning(view),
      { result: { aggregateFields }, ...time, ...(statistics(request, 1)[0] ?? {}) },
    ]
  },

  PartitionQuery: (store, request) => {
    const count = Number(request.partitionCount ?? 0)
    if (count <= 0) throw invalid('partition_count must be greater than zero.')
    const plan = planOf(request)
    if (!plan.allDescendants) throw invalid('Only collection group queries can be partitioned.')
    const view = store.view(plan.database, request)
    const { rows } = runQuery(store.tree(plan.database), plan, view.time)
    const cuts = new Set(
      Array.from({ length: count }, (_, index) => Math.floor(((index + 1) * rows.length) / (count + 1))),
    )
    const partitions = [...cuts].flatMap((cut) => {
      const row = rows[cut]
      return cut === 0 || row === undefined ? [] : [{ values: [{ referenceValue: row.name }], before: true }]
    })
    return [{ partitions }]
  },
}

/** No cost model stands behind the engine, so a plan names no index. */
const PLAN_ONLY = { planSummary: { indexesUsed: [] } }

function planOf(request: WireRequest): QueryPlan {
  const { database, path } = parseName(request.parent ?? '')
  if (request.structuredQuery === undefined) throw invalid('A query is missing.')
  return planQuery(database, path, request.structuredQuery)
}

function beginning(view: ReadView): object[] {
  return view.begun === undefined ? [] : [{ transaction: view.begun, ...readTime(view.time) }]
}

function statistics(request: WireRequest, results: number): object[] {
  if (!request.explainOptions?.analyze) return []
  const executionStats = {
    resultsReturned: String(results),
    executionDuration: { seconds: '0', nanos: 0 },
    readOperations: String(Math.max(results, 1)),
    debugStats: { fields: {} },
  }
  return [{ explainMetrics: { ...PLAN_ONLY, executionStats } }]
}
