import { FUNCTIONS, type FunctionId } from '#shared/catalogue.ts'

/** The service accounts that stand between the parts, named as in the cloud. */
export type Accounts = {
  readonly gateway: string
  readonly scheduler: string
  push(id: FunctionId): string
  /** The identity a function itself has, such as towards Kubernetes. */
  runtime(id: FunctionId): string
}

export function accountsOf(project: string): Accounts {
  const account = (name: string): string => `${name}@${project}.iam.gserviceaccount.com`
  return {
    gateway: account('energent-gateway'),
    scheduler: account('energent-scheduler'),
    push: (id) => account(`push-${id}`),
    runtime: (id) => account(FUNCTIONS[id].folder),
  }
}

/** The URI a function has in its callers' eyes: the audience of their tokens, whatever the port of the day. */
export function functionUri(project: string, id: FunctionId): string {
  return `https://${FUNCTIONS[id].name}.${project}.run.app`
}
