/** What a tenant bought. The order is from the smallest to the largest. */
export const TIERS = ['basic', 'standard', 'premium', 'enterprise'] as const
export type Tier = (typeof TIERS)[number]

/** Where a tenant's workloads run (deployment guide §1.2). */
export const DEPLOYMENT_MODELS = ['multi_tenant', 'dedicated', 'hybrid'] as const
export type DeploymentModel = (typeof DEPLOYMENT_MODELS)[number]

export type TierLimits = {
  readonly vcpu: number
  readonly memoryGib: number
  readonly storageGib: number
  readonly concurrentWorkflows: number
  /** Token requests a second that one function instance accepts for a tenant (`auth.md` §11). */
  readonly tokenRequestsPerSecond: number
  /** Those of one client or binding: less, so that one that never stops leaves something to the others. */
  readonly clientTokenRequestsPerSecond: number
  /** Requests a second with a tenant's tokens that one function instance answers; n instances answer n times as many. */
  readonly apiRequestsPerSecond: number
  readonly maxClients: number
  readonly maxApiKeys: number
}

/** The limits of each tier (deployment guide §3.3): the only place they stand as numbers. */
export const TIER_LIMITS: Readonly<Record<Tier, TierLimits>> = {
  basic: limits(1, 2, 10, 1, 5, 4, 50, 2, 2),
  standard: limits(2, 4, 25, 2, 20, 15, 100, 5, 10),
  premium: limits(4, 8, 50, 4, 100, 75, 250, 20, 50),
  enterprise: limits(8, 16, 100, 8, 500, 400, 500, 100, 500),
}

function limits(
  vcpu: number,
  memoryGib: number,
  storageGib: number,
  concurrentWorkflows: number,
  tokenRequestsPerSecond: number,
  clientTokenRequestsPerSecond: number,
  apiRequestsPerSecond: number,
  maxClients: number,
  maxApiKeys: number,
): TierLimits {
  return {
    vcpu,
    memoryGib,
    storageGib,
    concurrentWorkflows,
    tokenRequestsPerSecond,
    clientTokenRequestsPerSecond,
    apiRequestsPerSecond,
    maxClients,
    maxApiKeys,
  }
}

/** How many days back a tenant can look into its audit (`auth.md` §11); kept is seven years for all. */
export const AUDIT_DAYS: Readonly<Record<Tier, number>> = {
  basic: 90,
  standard: 365,
  premium: 365,
  enterprise: 2_555,
}

export type SessionLimits = {
  /** How many sessions a person has at once; one more ends the oldest. */
  readonly sessionsPerUser: number
  /** How long a session lasts without a refresh. */
  readonly refreshIdleDays: number
  /** How long it lasts at most. */
  readonly refreshAbsoluteDays: number
}

/** The sessions of each tier (`auth.md` §11). */
export const SESSION_LIMITS: Readonly<Record<Tier, SessionLimits>> = {
  basic: { sessionsPerUser: 3, refreshIdleDays: 7, refreshAbsoluteDays: 30 },
  standard: { sessionsPerUser: 5, refreshIdleDays: 14, refreshAbsoluteDays: 60 },
  premium: { sessionsPerUser: 10, refreshIdleDays: 30, refreshAbsoluteDays: 90 },
  enterprise: { sessionsPerUser: 20, refreshIdleDays: 90, refreshAbsoluteDays: 90 },
}

/** How many identity providers of its own a tenant may connect (`auth.md` §11); none: no single sign-on. */
export const MAX_CONNECTIONS: Readonly<Record<Tier, number>> = {
  basic: 0,
  standard: 0,
  premium: 2,
  enterprise: 10,
}
