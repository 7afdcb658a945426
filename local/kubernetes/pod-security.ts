import { at, type KubeObject, listAt, objectAt, textAt } from './json.ts'
import { resourceOf } from './resources.ts'
import { type FieldError, forbidden, invalidValue } from './status.ts'

const LEVELS = ['privileged', 'baseline', 'restricted']
const PREFIX = 'pod-security.kubernetes.io/'

/** What is wrong with a namespace's Pod Security labels. */
export function podSecurityLabelErrors(namespace: KubeObject): FieldError[] {
  return Object.entries(namespace.metadata.labels ?? {}).flatMap(([label, value]) => {
    if (!label.startsWith(PREFIX)) return []
    const field = `metadata.labels[${label}]`
    if (label.endsWith('-version')) {
      const valid = value === 'latest' || /^v1\.\d+$/.test(value)
      return valid ? [] : [invalidValue(field, value, 'must be "latest" or "v1.x"')]
    }
    return LEVELS.includes(value) ? [] : [invalidValue(field, value, `must be one of ${LEVELS.join(', ')}`)]
  })
}

/** Refuses a pod below the level its namespace enforces (Pod Security Standards 1.30). */
export function checkPodSecurity(namespace: KubeObject, pod: KubeObject): void {
  const labels = namespace.metadata.labels ?? {}
  const level = labels[`${PREFIX}enforce`] ?? 'privileged'
  const version = labels[`${PREFIX}enforce-version`] ?? 'latest'
  const problems =
    level === 'privileged' ? [] : [...baseline(pod), ...(level === 'restricted' ? restricted(pod) : [])]
  if (problems.length === 0) return
  throw forbidden(
    resourceOf('pods'),
    pod.metadata.name,
    `violates PodSecurity "${level}:${version}": ${problems.join(', ')}`,
  )
}

function containersOf(pod: KubeObject): unknown[] {
  return ['initContainers', 'containers', 'ephemeralContainers'].flatMap((list) => listAt(pod, 'spec', list))
}

function named(containers: readonly unknown[]): string {
  const names = containers.map((container) => JSON.stringify(textAt(container, 'name')))
  return `${names.length === 1 ? 'container' : 'containers'} ${names.join(', ')}`
}

function baseline(pod: KubeObject): string[] {
  const problems: string[] = []
  const host = ['hostNetwork', 'hostPID', 'hostIPC'].filter((field) => at(pod, 'spec', field) === true)
  if (host.length > 0) problems.push(`host namespaces (${host.map((field) => `${field}=true`).join(', ')})`)
  const privileged = containersOf(pod).filter((one) => at(one, 'securityContext', 'privileged') === true)
  if (privileged.length > 0) {
    problems.push(`privileged (${named(privileged)} must not set securityContext.privileged=true)`)
  }
  const volumes = listAt(pod, 'spec', 'volumes').filter((volume) => at(volume, 'hostPath') !== undefined)
  if (volumes.length > 0) {
    const names = volumes.map((volume) => JSON.stringify(textAt(volume, 'name')))
    problems.push(`hostPath volumes (${names.length === 1 ? 'volume' : 'volumes'} ${names.join(', ')})`)
  }
  const hostPorts = containersOf(pod).filter((one) =>
    listAt(one, 'ports').some((port) => Number(at(port, 'hostPort') ?? 0) > 0),
  )
  if (hostPorts.length > 0) problems.push(`hostPort (${named(hostPorts)} uses hostPorts)`)
  return problems
}

function restricted(pod: KubeObject): string[] {
  const containers = containersOf(pod)
  const problems: string[] = []
  const report = (bad: readonly unknown[], text: (who: string) => string): void => {
    if (bad.length > 0) problems.push(text(named(bad)))
  }
  report(
    containers.filter((one) => at(one, 'securityContext', 'allowPrivilegeEscalation') !== false),
    (who) =>
      `allowPrivilegeEscalation != false (${who} must set securityContext.allowPrivilegeEscalation=false)`,
  )
  report(containers.filter(hasLooseCapabilities), (who) => {
    return `unrestricted capabilities (${who} must set securityContext.capabilities.drop=["ALL"])`
  })
  const podContext = objectAt(pod, 'spec', 'securityContext')
  report(
    containers.filter(
      (one) => (at(one, 'securityContext', 'runAsNonRoot') ?? podContext['runAsNonRoot']) !== true,
    ),
    (who) => `runAsNonRoot != true (pod or ${who} must set securityContext.runAsNonRoot=true)`,
  )
  const asRoot = containers.filter((one) => at(one, 'securityContext', 'runAsUser') === 0)
  report(asRoot, (who) => `runAsUser=0 (${who} must not set runAsUser=0)`)
  report(
    containers.filter((one) => {
      const own = textAt(one, 'securityContext', 'seccompProfile', 'type')
      const type = own === '' ? textAt(podContext, 'seccompProfile', 'type') : own
      return !['RuntimeDefault', 'Localhost'].includes(type)
    }),
    (who) =>
      `seccompProfile (pod or ${who} must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")`,
  )
  return problems
}

function hasLooseCapabilities(container: unknown): boolean {
  const dropsAll = listAt(container, 'securityContext', 'capabilities', 'drop').includes('ALL')
  const added = listAt(container, 'securityContext', 'capabilities', 'add')
  return !dropsAll || added.some((capability) => capability !== 'NET_BIND_SERVICE')
}
