/** What a code means for whoever gets it, and what they can do. `docs/errors.md` is made from this. */
export type RefusalHelp = { readonly meaning: string; readonly remedy: string }

export function help(meaning: string, remedy: string): RefusalHelp {
  return { meaning, remedy }
}
