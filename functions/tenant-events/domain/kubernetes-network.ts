import { type ClusterObject, type ClusterSpec, objectOf } from './kubernetes-objects.ts'

const EVERY_POD = { podSelector: {} }

/**
 * What a tenant's pods may reach and who may reach them. Everything is closed first, then opened bit by bit.
 *
 * Of a suspended tenant every policy is there and none allows a way out: taking the rules of an object
 * away is one write that can be repeated, taking the object away would be seen as drift.
 */
export function networkPolicies(spec: ClusterSpec): ClusterObject[] {
  const policy = (name: string, body: Body): ClusterObject =>
    objectOf(spec, 'networking.k8s.io/v1', 'NetworkPolicy', name, {
      spec: spec.suspended === true ? withoutEgress(body) : body,
    })
  return [
    policy('default-deny', { ...EVERY_POD, policyTypes: ['Ingress', 'Egress'] }),
    policy('allow-same-namespace', {
      ...EVERY_POD,
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: [EVERY_POD] }],
      egress: [{ to: [EVERY_POD] }],
    }),
    policy('allow-dns', {
      ...EVERY_POD,
      policyTypes: ['Egress'],
      egress: [
        {
          to: [
            {
              namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'kube-system' } },
              podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } },
            },
            block('169.254.20.10/32'),
          ],
          ports: [port(53, 'UDP'), port(53)],
        },
      ],
    }),
    policy('allow-gke-metadata', {
      ...EVERY_POD,
      policyTypes: ['Egress'],
      egress: [
        { to: [block('169.254.169.252/32')], ports: [port(988)] },
        { to: [block('169.254.169.254/32')], ports: [port(80)] },
      ],
    }),
    policy('allow-platform-ingress', {
      podSelector: { matchLabels: { 'energent.ai/expose': 'platform' } },
      policyTypes: ['Ingress'],
      ingress: [
        {
          from: [
            { namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'energent-ingress' } } },
          ],
          ports: [port(8080)],
        },
      ],
    }),
    policy('allow-internet-egress', {
      podSelector: { matchLabels: { 'energent.ai/egress': 'internet' } },
      policyTypes: ['Egress'],
      egress: [{ to: [PUBLIC_INTERNET], ports: [port(443), port(80)] }],
    }),
  ]
}

type Body = Readonly<Record<string, unknown>>

/** Left out rather than empty: the server drops an empty list, and then nothing would compare equal. */
function withoutEgress({ egress: _closed, ...body }: Body): Body {
  return body
}

const PUBLIC_INTERNET = {
  ipBlock: {
    cidr: '0.0.0.0/0',
    except: [
      '10.0.0.0/8',
      '100.64.0.0/10',
      '169.254.0.0/16',
      '172.16.0.0/12',
      '192.168.0.0/16',
      '224.0.0.0/4',
    ],
  },
}

function block(cidr: string) {
  return { ipBlock: { cidr } }
}

function port(number: number, protocol: 'TCP' | 'UDP' = 'TCP') {
  return { port: number, protocol }
}
