import { asRecord } from '#shared/json.ts'
import type { Failure } from './operation.ts'

type Volume = { readonly name: string; readonly body: Readonly<Record<string, unknown>> }

export type VolumesJudged =
  | { readonly kind: 'gone' }
  /** Being deleted: it takes the driver its time. */
  | { readonly kind: 'going'; readonly names: string }
  /** Nothing will delete them unless an operator does. */
  | { readonly kind: 'held'; readonly failure: Failure }

/** What is to be expected of volumes that outlived their namespace. */
export function judgeVolumes(volumes: readonly Volume[]): VolumesJudged {
  if (volumes.length === 0) return { kind: 'gone' }
  const retained = volumes.find(({ body }) => specOf(body)?.['persistentVolumeReclaimPolicy'] === 'Retain')
  if (retained !== undefined) return held('volume.retained', retained.name)
  const failed = volumes.find(({ body }) => asRecord(body['status'])?.['phase'] === 'Failed')
  if (failed !== undefined) return held('volume.failed', failed.name)
  return {
    kind: 'going',
    names: volumes.map(({ name, body }) => `${name} ${handleOf(body)}`.trim()).join(', '),
  }
}

/** Waited for, because an operator can see to it; the operation is called stuck meanwhile. */
function held(code: string, name: string): VolumesJudged {
  return { kind: 'held', failure: { kind: 'wait', code, text: `volume ${name}` } }
}

function specOf(body: Volume['body']): Readonly<Record<string, unknown>> | undefined {
  return asRecord(body['spec'])
}

function handleOf(body: Volume['body']): string {
  return String(asRecord(specOf(body)?.['csi'])?.['volumeHandle'] ?? '')
}
