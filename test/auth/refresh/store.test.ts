import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { AuthDeps } from '../../../functions/auth/deps.ts'
import { GRACE_MS } from '../../../functions/auth/domain/refresh.ts'
import { parseRefreshToken } from '../../../functions/auth/domain/refresh-token.ts'
import { type AuthStack, startAuth } from '../support/auth-stack.ts'
import { type Answered, aSignInWorld, refresh, type SignInWorld, signIn } from '../support/sessions.ts'

let stack: AuthStack
let world: SignInWorld
let processes: readonly AuthDeps[]

beforeAll(async () => {
  stack = await startAuth()
  world = await aSignInWorld(stack)
  processes = [stack.deps, stack.another()]
})
afterAll(() => stack.close())

/** What happens in one moment: a token is sent, perhaps several times at once, and the store may fail. */
const moments = fc.record({
  /** How many rotations ago the token was the newest. */
  age: fc.constantFrom(0, 0, 0, 0, 1, 1, 2),
  copies: fc.integer({ min: 1, max: 3 }),
  pauseMs: fc.constantFrom(0, 1_000, GRACE_MS, GRACE_MS + 1),
  fault: fc.constantFrom(undefined, undefined, 'lostAnswer', 'refuse' as const),
  /** Which of the commits of the moment it hits. */
  hits: fc.integer({ min: 1, max: 2 }),
})

type Stored = { readonly counter: number; readonly rotatedAt: number; readonly status: string }

function stored(sessionId: string): Stored {
  const [session] = stack.firestore.dump(`tenants/${world.ctx.tenantId}/auth_sessions/${sessionId}`)
  return session?.data as Stored
}

/** All copies at once, in the two processes by turns; a request that fails is `undefined`. */
async function send(token: string, copies: number): Promise<readonly (Answered | undefined)[]> {
  const requests = Array.from({ length: copies }, (_, at) =>
    refresh(stack, world, token, {}, { deps: processes[at % 2] ?? stack.deps }).catch(() => undefined),
  )
  return Promise.all(requests)
}

// The rule of `auth.md` §4 against what the store holds, with commits whose answers are lost.
test('whatever is sent when, and whatever the store loses, each token has one successor and reuse ends the session', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(moments, { minLength: 3, maxLength: 8 }), async (story) => {
      const tokens = [(await signIn(stack, world)).refreshToken]
      const parsed = parseRefreshToken(tokens[0])
      if (!parsed.ok) throw new Error('no token')
      const { sessionId } = parsed.value
      for (const { age, copies, pauseMs, fault, hits } of story) {
        stack.clock.advance(pauseMs)
        const before = stored(sessionId)
        const presented = Math.max(1, before.counter - age)
        const token = tokens[presented - 1] ?? ''
        let commits = 0
        stack.firestore.setFault((rpc) => {
          if (rpc !== 'Commit' || fault === undefined) return undefined
          commits += 1
          return commits === hits ? { mode: fault } : undefined
        })
        const answers = await send(token, copies)
        stack.firestore.setFault(undefined)
        const late = stack.clock.now() - before.rotatedAt > GRACE_MS
        const behind = before.counter - presented
        const reused = before.status === 'ended' || behind > 1 || (behind === 1 && late)
        // Whoever got no answer asks again; by now the store is well.
        const [again] = await send(token, 1)
        const told = [...answers, again].filter((answer) => answer !== undefined)
        if (reused) {
          expect(told.map(({ code }) => code)).toEqual(told.map(() => 'grant.invalid'))
          expect(stored(sessionId)).toMatchObject({ status: 'ended', counter: before.counter })
        } else {
          expect(told.every(({ ok }) => ok)).toBe(true)
          tokens[presented] ??= told[0]?.refreshToken ?? ''
          expect(new Set(told.map(({ refreshToken }) => refreshToken))).toEqual(new Set([tokens[presented]]))
          expect(stored(sessionId)).toMatchObject({ status: 'active', counter: presented + 1 })
        }
      }
    }),
    { numRuns: process.env['LONG'] === undefined ? 5 : 100, endOnFailure: true },
  )
}, 60_000)
