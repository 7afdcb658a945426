import { expect, test } from 'vitest'
import { createTree, RETENTION_MICROS } from '#local/engine/firestore/tree.ts'

const state = (time: number) => ({ fields: new Map(), createTime: time, updateTime: time })

// A stack that runs for weeks writes and deletes without end: nothing may be kept for what is gone.
test('a deleted document is forgotten with everything that only led to it, an hour later', () => {
  const tree = createTree()
  tree.put('a/1/b/2', state(1), 1)
  tree.put('a/1/b/2', undefined, 2)
  expect(tree.read('a/1/b/2', 1)).toBeDefined()

  tree.put('other/x', state(1), RETENTION_MICROS + 3)

  expect(tree.find('a/1/b/2')).toBeUndefined()
  expect(tree.find('a/1')).toBeUndefined()
  expect([...tree.group('b')]).toEqual([])
})

test('a document created again in that hour stays', () => {
  const tree = createTree()
  tree.put('a/1', state(1), 1)
  tree.put('a/1', undefined, 2)
  tree.put('a/1', state(3), 3)

  tree.put('other/x', state(1), RETENTION_MICROS + 10)

  expect(tree.read('a/1')).toBeDefined()
})

test('versions that no read can ask for are dropped, those within the hour are kept', () => {
  const tree = createTree()
  for (let time = 1; time <= 100; time++) tree.put('a/1', state(time), time)
  expect(tree.read('a/1', 50)?.updateTime).toBe(50)

  tree.put('a/1', state(0), RETENTION_MICROS + 90)

  expect(tree.find('a/1')?.versions.length).toBe(12)
  expect(tree.read('a/1', 95)?.updateTime).toBe(95)
})
