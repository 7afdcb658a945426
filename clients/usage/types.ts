/** One measured fact, as a CloudEvent 1.0 in structured mode. Its source and id name it for ever. */
export type UsageEvent = {
  readonly specversion: '1.0'
  readonly id: string
  readonly source: string
  /** `ai.energent.usage.<meter>.v1`. */
  readonly type: string
  /** `tenants/{tenantId}`. */
  readonly subject: string
  /** RFC 3339 with an offset. */
  readonly time: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Events of one tenant that travel together: the same bytes at every attempt. */
export type Batch = {
  readonly tenantId: string
  readonly events: number
  /** A JSON array, UTF-8. */
  readonly body: Uint8Array
  /** The event type, where all have the same. */
  readonly type: string | undefined
}

/** What one attempt came to. `rejected` counts from 0 within the batch. */
export type Outcome =
  | { readonly kind: 'taken'; readonly rejected?: readonly Rejection[] }
  | { readonly kind: 'later'; readonly why: string; readonly afterMs?: number | undefined }
  | { readonly kind: 'refused'; readonly code: string; readonly detail: string }

export type Rejection = { readonly index: number; readonly code: string; readonly detail: string }

export type Transport = {
  /**
   * Sends a batch once. An exception counts as `later`. `signal` ends an attempt that nobody waits for;
   * whether it had its effect is then unknown, and the batch may be sent again.
   */
  send(batch: Batch, signal: AbortSignal): Promise<Outcome>
}

/** What became of an event that the service does not take. */
export type Fate = { readonly event: UsageEvent; readonly code: string; readonly detail: string }

export type UsageClientOptions = {
  readonly transport: Transport
  /** Hears of every event that was accepted here and refused there. It must not throw. */
  readonly onRejected: (fate: Fate) => void
  /** Hears of each attempt that failed and will be made again. */
  readonly onRetry?: (retry: {
    readonly tenantId: string
    readonly attempt: number
    readonly why: string
    readonly delayMs: number
  }) => void
  /** A batch leaves with this many events. Default and most: 500. */
  readonly maxEvents?: number
  /** A batch leaves with this many bytes. Default and most: 262,144. */
  readonly maxBytes?: number
  /** A batch leaves when its first event has waited so long. Default: 1,000. */
  readonly maxDelayMs?: number
  /** Bytes of events that are held, at most; beyond, `record` waits. Default: 16 MiB. */
  readonly maxBufferedBytes?: number
  /** The same of one tenant: one that cannot be reached leaves room for the others. Default: half. */
  readonly maxBufferedBytesOfTenant?: number
  /** Batches on their way at the same time. Default: 4. */
  readonly maxInFlight?: number
  /** Between attempts of a batch: full jitter below a bound that doubles. Defaults: 200 and 30,000. */
  readonly firstRetryMs?: number
  readonly maxRetryMs?: number
  /** Time and chance, for tests. */
  readonly time?: Time
}

export type Time = {
  /** Calls `run` once after `ms`; what it returns takes that back. */
  after(ms: number, run: () => void): () => void
  /** In [0, 1). */
  random(): number
}

export type UsageClient = {
  /**
   * Accepts an event: from when the promise resolves it is delivered, or handed to `onRejected`, or
   * returned by `close`. It waits while the buffer is full. Throws for what is no usage event, for one that
   * is too large, and once the client is closed: such an event was not accepted.
   */
  record(event: UsageEvent): Promise<void>
  /** The same without waiting: false, and not accepted, while the buffer is full. */
  tryRecord(event: UsageEvent): boolean
  /** Resolves when all that was accepted before is delivered or was handed to `onRejected`. */
  flush(): Promise<void>
  /**
   * Takes no more, delivers what there is for at most `timeoutMs`, and returns what then is not known to
   * be delivered. Those events may be sent again, by anybody, at any time: they count once.
   */
  close(options?: { readonly timeoutMs?: number }): Promise<readonly UsageEvent[]>
  readonly stats: () => UsageStats
}

export type UsageStats = {
  readonly accepted: number
  readonly delivered: number
  readonly rejected: number
  readonly buffered: number
  readonly bufferedBytes: number
  readonly attempts: number
}
