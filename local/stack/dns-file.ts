import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs'

/** The stand-in for DNS: TXT records by name in a file that the functions read at each question. */
export type DnsFile = {
  readonly path: string
  /** Puts these records in place of those the name has; none takes the name away. */
  set(name: string, values: readonly string[]): void
}

export function dnsFile(path: string): DnsFile {
  return {
    path,
    set: (name, values) => {
      const records = existsSync(path)
        ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, string[]>)
        : {}
      const { [name]: _before, ...others } = records
      const next = values.length === 0 ? others : { ...others, [name]: values }
      // Whole or not at all: a function may be reading it.
      writeFileSync(`${path}.new`, JSON.stringify(next))
      renameSync(`${path}.new`, path)
    },
  }
}
