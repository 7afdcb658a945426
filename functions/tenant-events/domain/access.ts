/** Whether a service account may do something; `namespace` is empty for what is cluster-wide. */
export type AccessQuestion = {
  readonly account: { readonly namespace: string; readonly name: string }
  readonly verb: string
  readonly group: string
  /** With the subresource, if any: `pods/exec`. */
  readonly resource: string
  readonly namespace: string
}
