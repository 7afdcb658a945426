import { type Refusal, refuse } from '#shared/result.ts'

/** Something that somebody shows and that must not count a second time, anywhere. */
export type Once = {
  readonly kind: string
  readonly issuer: string
  readonly jti: string
  /** Until when it could be shown again, in seconds. */
  readonly expSeconds: number
}

/** What a second use of a client's assertion is told: the same as any client that is not proven. */
export function refuseUsedAssertion(): Refusal {
  return refuse('client.invalid', 'assertion used before')
}
