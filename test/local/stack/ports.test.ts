import { describe, expect, it } from 'vitest'
import { choosePorts } from '#local/stack/ports.ts'

describe('the ports of a stack', () => {
  it('are in a row from the base that was asked for', async () => {
    const { gateway } = await choosePorts(0)

    const ports = await choosePorts(gateway)

    expect(ports.gateway).toBe(gateway)
    expect(ports.console).toBe(gateway + 1)
  })

  it.each([6660, 10_070])('never hold one that fetch refuses to connect to (from %i on)', async (base) => {
    await expect(choosePorts(base)).rejects.toThrow(/is one no browser or fetch connects to.*--port \d+/)
  })
})
