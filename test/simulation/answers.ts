import { fieldsToJson } from '#local/engine/firestore/codec.ts'
import type { Store } from '#local/engine/firestore/store.ts'
import type { Simulation } from '#shared/testing/simulation.ts'
import { DATABASE } from './ground/firestore-client.ts'

const ANSWER = /^(tenants\/[^/]+)\/billing_operations\//

/** An answer is true of the subscription at the moment at which it is committed. */
export function watchAnswers(simulation: Simulation, store: Store): void {
  store.onCommit(({ changes }) => {
    for (const { path, after } of changes) {
      const tenant = ANSWER.exec(path)?.[1]
      if (tenant === undefined || after === undefined) continue
      const { outcome } = fieldsToJson(after.fields) as { outcome?: string }
      const main = store.tree(DATABASE).read(`${tenant}/billing_subscriptions/main`)
      const status = main === undefined ? 'missing' : fieldsToJson(main.fields)['status']
      // Refused is who asks for another tier than the subscription has.
      if (outcome !== 'cancelled' && status !== 'active') {
        simulation.violated(`${path} was answered '${outcome}' while the subscription was ${String(status)}`)
      }
    }
  })
}
