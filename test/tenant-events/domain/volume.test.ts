import { expect, test } from 'vitest'
import type { Tier } from '#shared/catalogue/tiers.ts'
import { quantityOf } from '../../../functions/tenant-events/domain/quantity.ts'
import {
  moveVolume,
  USED_BYTES,
  type VolumeMove,
  volumeOf,
} from '../../../functions/tenant-events/domain/volume.ts'

const GIB = 2 ** 30

test.each([
  ['10Gi', 10 * GIB],
  ['10G', 1e10],
  ['500m', 0.5],
  ['2', 2],
  ['1e3', 1000],
  ['1.5Gi', 1.5 * GIB],
  ['.5', 0.5],
  ['1E', 1e18],
  ['-1', -1],
])('the quantity %s is %d', (text, value) => {
  expect(quantityOf(text)).toBe(value)
})

test.each(['', 'Gi', '1 Gi', '1Gib', '1constructor', '1__proto__', '1e', undefined, null, 10, {}])(
  '%j is no quantity',
  (text) => {
    expect(quantityOf(text)).toBeUndefined()
  },
)

type Fields = { phase?: string; size?: string; used?: string; volumeName?: string }

function aClaim({ phase = 'Bound', size = '50Gi', used, volumeName }: Fields) {
  return {
    metadata: { resourceVersion: '7', annotations: used === undefined ? {} : { [USED_BYTES]: used } },
    spec: {
      resources: { requests: { storage: size } },
      ...(volumeName === undefined ? {} : { volumeName }),
    },
    status: { phase },
  }
}

// premium stores 50 GiB, basic 10, enterprise 100.
test.each([
  ['has the size', {}, 'premium', 'stays'],
  ['has the size and nothing bound it', { phase: 'Pending' }, 'premium', 'stays'],
  ['can grow', {}, 'enterprise', 'grows'],
  ['was never used and is too small', { phase: 'Pending' }, 'enterprise', 'replaced'],
  ['was never used and is too large', { phase: 'Pending' }, 'basic', 'replaced'],
  ['has a volume although nothing says Bound', { phase: '', volumeName: 'pv-1' }, 'basic', 'kept'],
  ['holds little', { used: `${10 * GIB}` }, 'basic', 'kept'],
  ['holds a byte too much', { used: `${10 * GIB + 1}` }, 'basic', 'too-full'],
  ['was never measured', {}, 'basic', 'kept'],
  ['was measured badly', { used: 'much' }, 'basic', 'kept'],
  ['was measured below nothing', { used: '-5' }, 'basic', 'kept'],
  ['is measured in other units', { used: '11Gi' }, 'basic', 'too-full'],
  ['has a size that cannot be read', { size: 'big' }, 'basic', 'kept'],
] satisfies [string, Fields, Tier, VolumeMove][])(
  'a volume that %s: %j to %s %s',
  (_name, fields, tier, move) => {
    expect(moveVolume(volumeOf(aClaim(fields)), tier)).toBe(move)
  },
)
