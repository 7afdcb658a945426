import { describe, expect, test } from 'vitest'
import { checkIfMatch, isNotModified, revisionTag } from '#shared/http/etag.ts'

const asked = (name: string, value: string | undefined) => ({
  header: (wanted: string) => (wanted === name ? value : undefined),
})

test('the tag of a revision is strong and names it', () => {
  expect([revisionTag(7), revisionTag(2n ** 60n)]).toEqual(['"7"', '"1152921504606846976"'])
})

describe('If-Match', () => {
  test.each([undefined, '*', '"7"', '"6", "7"', ' "7" ', '"6","7" , "8"', '"a,b", "7"'])(
    '%s lets a change of revision 7 go on',
    (header) => {
      expect(checkIfMatch(asked('if-match', header), '"7"')).toMatchObject({ ok: true })
    },
  )

  // A weak tag names no bytes: it must never let a change through (RFC 9110 §13.1.1).
  test.each(['"6"', 'W/"7"', '"70"', '""', 'W/"7", "6"'])('%s does not', (header) => {
    expect(checkIfMatch(asked('if-match', header), '"7"')).toMatchObject({
      ok: false,
      code: 'request.precondition_failed',
    })
  })

  test.each(['7', '"7', '7"', '"7",', ',"7"', '"7" "8"', 'w/"7"', '*, "7"', '', '"7"x'])(
    '%j is none, and nothing is changed on a guess',
    (header) => {
      expect(checkIfMatch(asked('if-match', header), '"7"')).toMatchObject({
        ok: false,
        code: 'request.malformed',
      })
    },
  )

  test('of any length is read in linear time', () => {
    const long = `${'"x",'.repeat(20_000)}"7`
    expect(checkIfMatch(asked('if-match', long), '"7"')).toMatchObject({ code: 'request.malformed' })
  })
})

describe('If-None-Match', () => {
  test.each(['*', '"7"', 'W/"7"', '"6", W/"7"'])('%s has revision 7 already', (header) => {
    expect(isNotModified(asked('if-none-match', header), '"7"')).toBe(true)
  })

  // What cannot be read gets the whole answer, which is never wrong.
  test.each([undefined, '"6"', '7', '"7', ''])('%j has not', (header) => {
    expect(isNotModified(asked('if-none-match', header), '"7"')).toBe(false)
  })
})
